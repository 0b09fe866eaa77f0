use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A server that has one more page, always.
struct Endless {
    asked: AtomicUsize,
    page: String,
}

impl Pages for Endless {
    fn version(&self) -> Version {
        Version::V2025_11_25
    }

    async fn page(&self, _: Option<Bytes>, _: usize) -> Result<Outcome, UpstreamError> {
        let n = self.asked.fetch_add(1, Ordering::Relaxed);
        let bytes = Bytes::from(format!(r#"{{"tools":[{}],"nextCursor":"{n}"}}"#, self.page));
        let value = cmcp_json::parse(&bytes, &cmcp_json::Limits::RESPONSE).unwrap();
        Ok(Outcome::Result { value, bytes })
    }
}

#[tokio::test]
async fn an_endless_listing_is_cut_off_and_said_to_be_incomplete() {
    let server = Endless {
        asked: AtomicUsize::new(0),
        page: r#"{"name":"a"}"#.to_owned(),
    };
    let listing = list(&server, 3).await.unwrap();
    assert_eq!(
        (listing.pages.len(), listing.complete, listing.generation),
        (MAX_PAGES, false, 3)
    );
    let many = vec![r#"{"name":"a"}"#; 6000].join(",");
    let listing = list(
        &Endless {
            asked: AtomicUsize::new(0),
            page: many,
        },
        0,
    )
    .await
    .unwrap();
    assert_eq!((listing.tools.len(), listing.complete), (12_000, false));
}
