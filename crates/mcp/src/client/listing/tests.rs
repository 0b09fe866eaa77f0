use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{client::Identity, client::handshake, version::Version};

fn offers(capabilities: &str) -> Offers {
    let capabilities = cmcp_json::parse(capabilities.as_bytes(), &cmcp_json::Limits::REQUEST);
    Offers {
        capabilities: capabilities.unwrap(),
        ..handshake::unknown(Version::V2025_11_25)
    }
}

/// A server that has one more page, always.
struct Endless {
    asked: AtomicUsize,
    page: String,
    offers: Offers,
    own: Own,
}

impl Endless {
    fn of(page: String) -> Self {
        Self {
            asked: AtomicUsize::new(0),
            page,
            offers: offers(r#"{"tools":{}}"#),
            own: Own::new(Identity::default()),
        }
    }
}

impl Pages for Endless {
    fn offers(&self) -> &Offers {
        &self.offers
    }

    fn own(&self) -> &Own {
        &self.own
    }

    async fn page(&self, _: Kind, _: Option<Bytes>, _: usize) -> Result<Outcome, UpstreamError> {
        let n = self.asked.fetch_add(1, Ordering::Relaxed);
        let bytes = Bytes::from(format!(r#"{{"tools":[{}],"nextCursor":"{n}"}}"#, self.page));
        let value = cmcp_json::parse(&bytes, &cmcp_json::Limits::RESPONSE).unwrap();
        Ok(Outcome::Result { value, bytes })
    }
}

#[tokio::test]
async fn an_endless_listing_is_cut_off_and_said_to_be_incomplete() {
    let server = Endless::of(r#"{"name":"a"}"#.to_owned());
    let listing = list(&server, Kind::Tools, 3).await.unwrap();
    assert_eq!(
        (listing.pages.len(), listing.complete, listing.generation),
        (MAX_PAGES, false, 3)
    );
    let many = vec![r#"{"name":"a"}"#; 6000].join(",");
    let listing = list(&Endless::of(many), Kind::Tools, 0).await.unwrap();
    assert_eq!((listing.items.len(), listing.complete), (12_000, false));
}

/// A server that has none of the methods.
struct Bare(Offers, Own);

impl Pages for Bare {
    fn offers(&self) -> &Offers {
        &self.0
    }

    fn own(&self) -> &Own {
        &self.1
    }

    async fn page(&self, _: Kind, _: Option<Bytes>, _: usize) -> Result<Outcome, UpstreamError> {
        Ok(Outcome::Error {
            code: -32601,
            message: "Method not found".to_owned(),
            data: None,
            bytes: Bytes::new(),
        })
    }
}

#[tokio::test]
async fn what_a_server_does_not_declare_is_an_empty_and_complete_listing() {
    let bare = |capabilities| Bare(offers(capabilities), Own::new(Identity::default()));
    for kind in Kind::ALL {
        let listing = list(&bare("{}"), kind, 1).await.unwrap();
        let Listing {
            pages,
            items,
            complete,
            generation,
        } = listing;
        assert_eq!(
            (pages.len(), items.len(), complete, generation),
            (0, 0, true, 1)
        );
    }
    let lacking = bare(r#"{"tools":{},"resources":{},"prompts":{}}"#);
    assert!(
        list(&lacking, Kind::ResourceTemplates, 1)
            .await
            .unwrap()
            .complete
    );
    for kind in [Kind::Tools, Kind::Resources, Kind::Prompts] {
        let error = list(&lacking, kind, 1).await.unwrap_err();
        let method = kind.method();
        assert!(matches!(error, UpstreamError::Rpc { method: of, .. } if of == method));
    }
}
