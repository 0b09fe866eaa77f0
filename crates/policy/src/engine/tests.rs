use std::collections::BTreeSet;

use super::*;
use crate::fixture::{
    World, bundle, catalog, json, load, principal, raw_tool, refused, shared, told, tool, world,
};

mod actions;
mod answers;
mod asking;
mod clash;
mod documented;
mod dodge;
mod items;
mod names;
mod shown;
mod slices;
mod spoken;
mod visible;

const ALL: &str = "permit(principal, action, resource);";
