//! Captured devices and manifests, and forged ones with one field broken at a time.

mod devices;
mod forms;
mod manifests;
mod policy;
mod report;
mod status;
mod vectors;
mod xml;
