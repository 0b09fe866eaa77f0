//! The governing gateway: one life for every call, one append site for every outcome.
