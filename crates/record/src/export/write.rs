//! Writing an export as its entries are read from the store.

use std::io::{self, Write};

use cmcp_evidence::{Sha256Digest, Signature, SigningKey, Timestamp};
use cmcp_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    checkpoint::{Checkpoint, SignedCheckpoint},
    ours::TYPE,
};
use crate::{
    audit::{Chain, Entry, ReplayError},
    projection::{Projected, Projector},
};

/// Why an export is not written to its end.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The receiver failed.
    #[error("cannot write the export: {0}")]
    Io(#[from] io::Error),
    /// The stored log does not read back: nothing is exported that would not verify.
    #[error("the stored log does not read back: {0}")]
    Log(#[from] ReplayError),
    /// The checkpoint is not of these entries.
    #[error("the checkpoint is of another log, size or root than the entries written")]
    Checkpoint,
}

/// Writes a whole log in our format and signs it as it is now.
///
/// # Errors
/// The receiver failed, or the log does not read back.
pub fn write<B: AsRef<[u8]>>(
    out: impl Write,
    log_id: &str,
    entries: impl IntoIterator<Item = B>,
    (key, now): (&SigningKey, Timestamp),
) -> Result<SignedCheckpoint, WriteError> {
    let mut writer = Writer::new(out, log_id)?;
    for entry in entries {
        writer.entry(entry.as_ref())?;
    }
    let checkpoint = writer.checkpoint(now).sign(key);
    writer.finish(&checkpoint)?;
    Ok(checkpoint)
}

/// Our format: the stored bytes, one entry per line, between the session and the signed checkpoint.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    chain: Chain,
}

impl<W: Write> Writer<W> {
    /// Begins the document.
    ///
    /// # Errors
    /// The receiver failed.
    pub fn new(mut out: W, log_id: &str) -> io::Result<Self> {
        let session = Value::from(log_id);
        write!(
            out,
            "{{\"type\":\"{TYPE}\",\"session_id\":{session},\"entries\":["
        )?;
        Ok(Self {
            out,
            chain: Chain::new(log_id),
        })
    }

    /// Writes the next entry as it is stored.
    ///
    /// # Errors
    /// The receiver failed, or the entry is not the next of this log.
    pub fn entry(&mut self, stored: &[u8]) -> Result<(), WriteError> {
        let separator: &[u8] = if self.chain.size() == 0 {
            b"\n"
        } else {
            b",\n"
        };
        next(&mut self.chain, stored)?;
        self.out.write_all(separator)?;
        self.out.write_all(stored)?;
        Ok(())
    }

    /// What the entries so far amount to, ready to be signed.
    #[must_use]
    pub fn checkpoint(&self, time: Timestamp) -> Checkpoint {
        Checkpoint::of(&self.chain, time)
    }

    /// Ends the document with a checkpoint of exactly these entries: one signed now, or one that was
    /// signed when the session was closed and is kept, for its key may be gone.
    ///
    /// # Errors
    /// The receiver failed, or the checkpoint is of something else.
    pub fn finish(mut self, signed: &SignedCheckpoint) -> Result<W, WriteError> {
        if *signed.checkpoint.log != *self.chain.log()
            || signed.checkpoint.size != self.chain.size()
            || signed.checkpoint.root != self.chain.root()
        {
            return Err(WriteError::Checkpoint);
        }
        write!(
            self.out,
            "\n],\"checkpoint\":{},\"key\":{},\"signature\":\"{}\"}}\n",
            signed.checkpoint.to_value(),
            signed.key.jwk(),
            signed.signature.to_b64url(),
        )?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// The older format: projected entries, and a signature over the hash of them all.
#[derive(Debug)]
pub struct CompatExport<W> {
    out: W,
    bundle: Bundle,
}

impl<W: Write> CompatExport<W> {
    /// Begins the document.
    ///
    /// # Errors
    /// The receiver failed.
    pub fn new(mut out: W, log_id: &str) -> io::Result<Self> {
        write!(
            out,
            "{{\"session_id\":{},\"entries\":[",
            Value::from(log_id)
        )?;
        Ok(Self {
            out,
            bundle: Bundle::new(log_id),
        })
    }

    /// Takes the next entry as it is stored, and writes its projection if it has one.
    ///
    /// # Errors
    /// The receiver failed, or the entry is not the next of this log.
    pub fn entry(&mut self, stored: &[u8]) -> Result<(), WriteError> {
        let first = self.bundle.is_empty();
        if let (_, Some(projected)) = self.bundle.take(stored)? {
            self.out.write_all(if first { b"\n" } else { b",\n" })?;
            self.out.write_all(&projected)?;
        }
        Ok(())
    }

    /// The 32 bytes that are signed.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        self.bundle.digest()
    }

    /// Ends the document with a signature over [`Self::digest`]: made now, or kept from when the
    /// claim was made, for its key may be gone.
    ///
    /// # Errors
    /// The receiver failed.
    pub fn finish(mut self, signature: &Signature) -> Result<W, WriteError> {
        writeln!(
            self.out,
            "\n],\"bundle_signature\":\"{}\"}}",
            signature.to_b64url()
        )?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// The entries of an older export as they are projected and hashed.
#[derive(Debug)]
pub(crate) struct Bundle {
    chain: Chain,
    hashed: Sha256,
}

impl Bundle {
    pub(crate) fn new(log_id: &str) -> Self {
        Self {
            chain: Chain::new(log_id),
            hashed: Sha256::new_with_prefix("["),
        }
    }

    /// The stored entry, and its projection's bytes if it has one.
    pub(crate) fn take(&mut self, stored: &[u8]) -> Result<(Entry, Option<Vec<u8>>), ReplayError> {
        let first = self.is_empty();
        let (entry, projected) = next(&mut self.chain, stored)?;
        let bytes = projected.map(|projected| projected.to_bytes());
        if let Some(bytes) = &bytes {
            self.hashed.update(if first { "" } else { "," });
            self.hashed.update(bytes);
        }
        Ok((entry, bytes))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.projector().length() == 0
    }

    pub(crate) fn digest(&self) -> Sha256Digest {
        let mut hashed = self.hashed.clone();
        hashed.update("]");
        Sha256Digest::from_bytes(hashed.finalize().into())
    }

    pub(crate) fn projector(&self) -> &Projector {
        self.chain.projector()
    }
}

/// The entry and its projection, if it is the next of the log.
fn next(chain: &mut Chain, stored: &[u8]) -> Result<(Entry, Option<Projected>), ReplayError> {
    let entry = chain.size();
    chain
        .take_projected(stored)
        .map_err(|fault| ReplayError { entry, fault })
}
