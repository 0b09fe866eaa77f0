//! Documents that are not JSON, or whose bytes matter: taken as they come.

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header::ACCEPT, header::RETRY_AFTER};
use http_body_util::Full;
use tokio::time::timeout;

use super::{FetchError, FetchFault, Fetcher, Url, check_coding, error, read};

/// A document, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// The HTTP status.
    pub status: StatusCode,
    /// The document.
    pub bytes: Bytes,
    /// The header that was asked for, where it is there once and is text.
    pub header: Option<String>,
    /// How many seconds to wait before asking again, where the service says so.
    pub retry_after: Option<u64>,
}

impl Fetcher {
    /// A document of any type and its bytes; `header` is the name of one header to keep. Every status
    /// may come with one.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn download(
        &self,
        url: &Url,
        header: Option<&'static str>,
    ) -> Result<Downloaded, FetchError> {
        let downloaded = timeout(self.within, self.received(url, header)).await;
        downloaded
            .unwrap_or(Err(FetchFault::Timeout(self.within)))
            .map_err(|cause| error(url, cause))
    }

    async fn received(
        &self,
        url: &Url,
        header: Option<&'static str>,
    ) -> Result<Downloaded, FetchFault> {
        let mut request = Request::new(Full::new(Bytes::new()));
        request
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static("*/*"));
        let (mut link, response) = self.send(url, request).await?;
        let (head, body) = response.into_parts();
        check_coding(&head.headers)?;
        let bytes = read(&mut link, body, MAX_BYTES).await?;
        let one = |name: &str| {
            let mut values = head.headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (Some(value), None) => value.to_str().ok().map(str::to_owned),
                (None | Some(_), _) => None,
            }
        };
        Ok(Downloaded {
            status: head.status,
            bytes,
            header: header.and_then(one),
            retry_after: one(RETRY_AFTER.as_str()).and_then(|seconds| seconds.parse().ok()),
        })
    }
}

/// Longest document: revocation lists and TCB information are a tenth of it.
const MAX_BYTES: usize = 4 << 20;
