//! Digests, keys, times, report data and attestation evidence: pure functions of bytes.
