mod forged;
mod vectors;
