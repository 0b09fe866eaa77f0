use std::collections::HashMap;

use super::spots::Spot;
use crate::{decide::Action, request::Kind};

/// Where each spot is, by action, kind and name.
#[derive(Debug, Default)]
pub(super) struct Places {
    calls: HashMap<String, usize>,
    others: HashMap<(Action, Kind), HashMap<String, usize>>,
}

impl Places {
    pub(super) fn of(spots: &[Spot]) -> Self {
        let mut places = Self::default();
        for (at, spot) in spots.iter().enumerate() {
            let known = if spot.action == Action::CallTool {
                &mut places.calls
            } else {
                let key = (spot.action, spot.kind);
                places.others.entry(key).or_default()
            };
            known.insert(spot.name.clone(), at);
        }
        places
    }

    pub(super) fn at(&self, action: Action, kind: Kind, name: &str) -> Option<usize> {
        let known = if (action, kind) == (Action::CallTool, Kind::Tool) {
            &self.calls
        } else {
            self.others.get(&(action, kind))?
        };
        known.get(name).copied()
    }
}
