pub(crate) mod captured;
pub(crate) mod forged;
mod noise;
pub(crate) mod vectors;
pub(crate) mod vm;
