//! Random identifiers and salts, from the operating system.

use crate::{ledger::Salts, refusal::Refusal};

/// The random values one call needs, from one system call.
#[derive(Debug)]
pub(crate) struct CallRandom {
    pub(crate) call_id: String,
    pub(crate) attempt: String,
    pub(crate) request_salt: [u8; 32],
    pub(crate) response_salt: [u8; 32],
}

impl CallRandom {
    pub(crate) fn draw() -> Result<Self, Refusal> {
        let mut bytes = [0u8; 96];
        getrandom::fill(&mut bytes).map_err(|_| Refusal::Fault("no randomness from the system"))?;
        let (ids, salts) = bytes.split_at(32);
        let (call, attempt) = ids.split_at(16);
        let (request, response) = salts.split_at(32);
        Ok(Self {
            call_id: uuid_text(call),
            attempt: uuid_text(attempt),
            request_salt: array(request),
            response_salt: array(response),
        })
    }

    /// Both salts, as they are kept beside the entry.
    pub(crate) fn salts(&self) -> Salts {
        let mut salts = [0u8; 64];
        let both = self.request_salt.iter().chain(&self.response_salt);
        for (to, from) in salts.iter_mut().zip(both) {
            *to = *from;
        }
        salts
    }
}

/// A random UUID, version 4, as text.
pub(crate) fn uuid() -> Result<String, getrandom::Error> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes)?;
    Ok(uuid_text(&bytes))
}

fn uuid_text(bytes: &[u8]) -> String {
    uuid::Builder::from_random_bytes(array(bytes))
        .into_uuid()
        .to_string()
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0u8; N];
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}
