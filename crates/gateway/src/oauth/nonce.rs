//! Nonces for proofs (RFC 9449, 9): a proof made ahead of time, or elsewhere, is of no use. They carry
//! their time and need no table.

use aws_lc_rs::hmac;
use cmcp_mcp::jose;

/// The maker of nonces.
pub(super) struct Nonces(hmac::Key);

impl Nonces {
    /// With a key of its own; `None` when the system gives no randomness.
    pub(super) fn new() -> Option<Self> {
        let mut key = zeroize::Zeroizing::new([0u8; 32]);
        getrandom::fill(key.as_mut_slice()).ok()?;
        Some(Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_slice())))
    }

    /// The nonce of this moment.
    pub(super) fn current(&self, now: i64) -> String {
        let slot = slot(now).to_be_bytes();
        let tag = hmac::sign(&self.0, &slot);
        jose::encode(&[&slot, tag.as_ref()].concat())
    }

    /// Whether it is ours, and of this span or the one before.
    pub(super) fn holds(&self, nonce: &str, now: i64) -> bool {
        let Some(bytes) = jose::decode(nonce) else {
            return false;
        };
        let Some((slot, tag)) = bytes.split_first_chunk::<8>() else {
            return false;
        };
        let age = self::slot(now).checked_sub(i64::from_be_bytes(*slot));
        matches!(age, Some(0 | 1)) && hmac::verify(&self.0, slot, tag).is_ok()
    }
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonces(..)")
    }
}

fn slot(now: i64) -> i64 {
    now.div_euclid(SPAN_SECONDS)
}

/// A nonce counts for one span of these and for the next.
pub(super) const SPAN_SECONDS: i64 = 120;
