use std::collections::BTreeSet;

use super::*;
use crate::fixture::{
    World, bundle, catalog, json, load, principal, raw_tool, refused, shared, told, tool, world,
};

mod actions;
mod answers;
mod clash;
mod documented;
mod dodge;
mod names;
mod slices;
mod visible;

const ALL: &str = "permit(principal, action, resource);";
