//! Documents of the services that vouch for hardware: TCB information, certificates, revocation lists,
//! keys of issuers. What comes is not trusted: whoever uses it checks it up to a root.

use std::time::Duration;

use cmcp_mcp::fetch::{Downloaded, FetchError, Fetcher, Url};
use http::StatusCode;

/// Asks collateral services, and waits where they ask for it.
#[derive(Debug)]
pub struct Services {
    fetcher: Fetcher,
    patience: Patience,
}

/// How long to bear with a service that is asked too often.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How often a document is asked for at most.
    pub tries: u32,
    /// How long to wait where the service does not say.
    pub wait: Duration,
    /// The longest wait that a service may ask for.
    pub longest: Duration,
}

/// A document of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collateral {
    /// The document, byte for byte.
    pub bytes: Vec<u8>,
    /// The certificates of whoever signed it, PEM, where they were asked for.
    pub chain: Option<String>,
}

/// Why a service gave no document.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CollateralError {
    /// The exchange failed.
    #[error("{0}")]
    Fetch(#[from] FetchError),
    /// The service says that there is none.
    #[error("`{place}`: the service knows nothing of it (HTTP status 404)")]
    Unknown {
        /// Scheme, host, port and path.
        place: String,
    },
    /// The service is asked too often.
    #[error("`{place}`: the service is asked too often (HTTP status {status}); try again later")]
    Throttled {
        /// Scheme, host, port and path.
        place: String,
        /// The HTTP status.
        status: u16,
    },
    /// Another status than 200.
    #[error("`{place}`: it answers with HTTP status {status}")]
    Status {
        /// Scheme, host, port and path.
        place: String,
        /// The HTTP status.
        status: u16,
    },
    /// The header with the issuer's certificates is missing, or not percent-encoded text.
    #[error("`{place}`: the answer has no usable header `{header}` with its issuer's certificates")]
    Chain {
        /// Scheme, host, port and path.
        place: String,
        /// The header.
        header: &'static str,
    },
}

impl Patience {
    /// Enough for a service that answers once in ten seconds.
    pub const USUAL: Self = Self {
        tries: 4,
        wait: Duration::from_secs(10),
        longest: Duration::from_secs(60),
    };
}

impl Services {
    /// Services reached by this fetcher.
    #[must_use]
    pub const fn new(fetcher: Fetcher, patience: Patience) -> Self {
        Self { fetcher, patience }
    }

    /// Fetches a document; `chain` names the header in which its issuer's certificates travel.
    ///
    /// # Errors
    /// [`CollateralError`].
    pub async fn get(
        &self,
        url: &Url,
        chain: Option<&'static str>,
    ) -> Result<Collateral, CollateralError> {
        let mut left = self.patience.tries;
        loop {
            let answer = self.fetcher.download(url, chain).await?;
            left = left.saturating_sub(1);
            let again = matches!(
                answer.status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            );
            if !again || left == 0 {
                return collateral(url, chain, answer);
            }
            tokio::time::sleep(self.patience.pause(answer.retry_after)).await;
        }
    }
}

impl Patience {
    fn pause(self, asked: Option<u64>) -> Duration {
        let asked = asked.map_or(self.wait, Duration::from_secs);
        asked.min(self.longest)
    }
}

fn collateral(
    url: &Url,
    chain: Option<&'static str>,
    answer: Downloaded,
) -> Result<Collateral, CollateralError> {
    let place = url.place();
    let status = answer.status.as_u16();
    match answer.status {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Err(CollateralError::Unknown { place }),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            return Err(CollateralError::Throttled { place, status });
        }
        _ => return Err(CollateralError::Status { place, status }),
    }
    let chain = match chain {
        None => None,
        Some(header) => {
            let decoded = answer.header.as_deref().and_then(percent_decoded);
            Some(decoded.ok_or(CollateralError::Chain { place, header })?)
        }
    };
    Ok(Collateral {
        bytes: answer.bytes.to_vec(),
        chain,
    })
}

/// The text behind a percent-encoding (RFC 3986, 2.1); a `+` is a plus sign.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let ([high, low], behind) = rest.split_first_chunk::<2>()?;
        rest = behind;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let byte = digit(*high)?.checked_mul(16)?.checked_add(digit(*low)?)?;
        bytes.push(u8::try_from(byte).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
