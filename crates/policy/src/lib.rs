//! Pure decisions: policy bundles, the catalog of approved tools, Cedar requests, inspection.
