//! Strict JSON: one reading of every text, and the canonical forms that digests are taken over.
