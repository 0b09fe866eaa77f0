//! Everything that leaves the enclave to be checked later: audit log, trust records, verification.
