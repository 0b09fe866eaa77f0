//! What a policy names.
//!
//! Cedar's validator finds every access that could fail, but takes `has` of something that is never
//! there for plain `false`: a forbid guarded by it would never fire, silently. So everything that a
//! policy names is collected here and held against what there is.

use std::{collections::BTreeSet, sync::Arc};

use cedar_policy::pst::{BinaryOp, Clause, EntityUID, Expr, Literal, Template, Var};

use crate::request::Kind;

/// What the conditions of a policy name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Mentions {
    /// Attributes.
    pub(crate) paths: BTreeSet<Path>,
    /// Entities, as type and id.
    pub(crate) entities: BTreeSet<(String, String)>,
    /// Entity types tested for.
    pub(crate) types: BTreeSet<String>,
    /// Attributes and the strings that they are compared with.
    pub(crate) compared: BTreeSet<(Path, String)>,
    /// Expressions whose attributes are read, though they are computed.
    pub(crate) computed: BTreeSet<String>,
    /// What of the variables themselves is looked at.
    pub(crate) bare: Bare,
}

/// Variables that are compared or handed on themselves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Bare {
    /// Neither.
    #[default]
    None,
    Action,
    Resource,
    Both,
}

impl Bare {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, one) | (one, Self::None) => one,
            (Self::Action, Self::Action) => Self::Action,
            (Self::Resource, Self::Resource) => Self::Resource,
            (
                Self::Both | Self::Action | Self::Resource,
                Self::Both | Self::Action | Self::Resource,
            ) => Self::Both,
        }
    }
}

/// An attribute, from a variable on.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Path {
    pub(crate) root: Root,
    pub(crate) names: Vec<String>,
    pub(crate) usage: Usage,
}

/// What an attribute is read from.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Root {
    Action,
    Agent,
    Context,
    Resource,
}

/// What is done with an attribute.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Usage {
    /// Its presence is tested, or something below it is named.
    Presence,
    /// Its value is used.
    Value,
}

impl Path {
    /// As a policy writes it.
    pub(crate) fn written(&self) -> String {
        let root = match self.root {
            Root::Action => "action",
            Root::Agent => "principal",
            Root::Context => "context",
            Root::Resource => "resource",
        };
        std::iter::once(root)
            .chain(self.names.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(".")
    }

    /// Whether the other is this attribute, or something below it.
    pub(crate) fn leads_to(&self, other: &Self) -> bool {
        self.root == other.root && other.names.starts_with(&self.names)
    }
}

impl Mentions {
    pub(crate) fn of(policy: &Template) -> Self {
        let mut mentions = Self::default();
        for clause in policy.clauses() {
            match clause {
                Clause::When(body) | Clause::Unless(body) => mentions.expression(body),
            }
        }
        mentions
    }

    /// Whether it looks at `action` itself.
    pub(crate) fn names_action(&self) -> bool {
        matches!(self.bare, Bare::Action | Bare::Both)
    }

    /// Whether it looks at `resource` itself, or at its name.
    pub(crate) fn names_resource(&self) -> bool {
        let is_name = |path: &Path| path.root == Root::Resource && path.names == ["tool_name"];
        matches!(self.bare, Bare::Resource | Bare::Both) || self.paths.iter().any(is_name)
    }

    fn expression(&mut self, expr: &Expr) {
        match expr {
            Expr::GetAttr { expr: inner, attr } => {
                self.attribute(expr, inner, &[attr.as_str()], Usage::Value);
            }
            Expr::HasAttr { expr: inner, attrs } => {
                let names: Vec<&str> = attrs.iter().map(|name| name.as_str()).collect();
                self.attribute(expr, inner, &names, Usage::Presence);
            }
            Expr::Var(var) => match var {
                Var::Context => self.path(Root::Context, Vec::new(), Usage::Value),
                Var::Action => self.bare = self.bare.and(Bare::Action),
                Var::Resource => self.bare = self.bare.and(Bare::Resource),
                Var::Principal => {}
            },
            Expr::Literal(Literal::EntityUID(entity)) => self.entity(entity),
            Expr::BinaryOp { op, left, right } => {
                self.comparison(*op, left, right);
                self.expression(left);
                self.expression(right);
            }
            Expr::UnaryOp { expr, .. } | Expr::Like { expr, .. } => self.expression(expr),
            Expr::Is {
                expr,
                entity_type,
                in_expr,
            } => {
                self.types.insert(entity_type.to_string());
                // The type of a variable says nothing that its scope could not say.
                if !matches!(expr.as_ref(), Expr::Var(Var::Resource | Var::Principal)) {
                    self.expression(expr);
                }
                self.all(in_expr);
            }
            Expr::IfThenElse {
                cond,
                then_expr,
                else_expr,
            } => {
                self.all([cond, then_expr, else_expr]);
            }
            Expr::Set(elements) => self.all(elements),
            Expr::Record(members) => self.all(members.values()),
            Expr::Literal(_) | Expr::Slot(_) | Expr::Unknown { .. } => {}
            // A kind of expression that this version of Cedar does not have yet.
            _ => {
                self.computed.insert(expr.to_string());
            }
        }
    }

    fn all<'a>(&mut self, expressions: impl IntoIterator<Item = &'a Arc<Expr>>) {
        for expr in expressions {
            self.expression(expr);
        }
    }

    fn attribute(&mut self, whole: &Expr, inner: &Expr, names: &[&str], usage: Usage) {
        let Some((root, mut path)) = self.chain(inner) else {
            self.computed.insert(whole.to_string());
            self.expression(inner);
            return;
        };
        path.extend(names.iter().map(|name| (*name).to_owned()));
        for end in 1..path.len() {
            self.path(
                root,
                path.iter().take(end).cloned().collect(),
                Usage::Presence,
            );
        }
        self.path(root, path, usage);
    }

    fn path(&mut self, root: Root, names: Vec<String>, usage: Usage) {
        self.paths.insert(Path { root, names, usage });
    }

    /// What a chain of attributes starts from, and the chain.
    fn chain(&mut self, expr: &Expr) -> Option<(Root, Vec<String>)> {
        if let Expr::GetAttr { expr, attr } = expr {
            let (root, mut names) = self.chain(expr)?;
            names.push(attr.to_string());
            return Some((root, names));
        }
        let root = if let Expr::Var(var) = expr {
            match var {
                Var::Principal => Root::Agent,
                Var::Action => Root::Action,
                Var::Resource => Root::Resource,
                Var::Context => Root::Context,
            }
        } else if let Expr::Literal(Literal::EntityUID(entity)) = expr {
            self.entity(entity);
            match entity.ty.to_string().as_str() {
                "Agent" => Root::Agent,
                "Action" => Root::Action,
                ty if Kind::of_type(ty).is_some() => Root::Resource,
                _ => return None,
            }
        } else {
            return None;
        };
        if root == Root::Action {
            self.bare = self.bare.and(Bare::Action);
        }
        Some((root, Vec::new()))
    }

    fn entity(&mut self, entity: &EntityUID) {
        self.entities
            .insert((entity.ty.to_string(), entity.eid.to_string()));
    }

    fn comparison(&mut self, op: BinaryOp, left: &Expr, right: &Expr) {
        if !COMPARE.contains(&op) {
            return;
        }
        for (attribute, literal) in [(left, right), (right, left)] {
            let Expr::GetAttr { .. } = attribute else {
                continue;
            };
            let Some((root, names)) = self.chain(attribute) else {
                continue;
            };
            for word in words(literal) {
                let path = Path {
                    root,
                    names: names.clone(),
                    usage: Usage::Value,
                };
                self.compared.insert((path, word));
            }
        }
    }
}

/// The strings of a literal: one, or the elements of a set.
fn words(literal: &Expr) -> Vec<String> {
    if let Expr::Literal(Literal::String(word)) = literal {
        vec![word.to_string()]
    } else if let Expr::Set(elements) = literal {
        elements.iter().flat_map(|element| words(element)).collect()
    } else {
        Vec::new()
    }
}

const COMPARE: [BinaryOp; 5] = [
    BinaryOp::Eq,
    BinaryOp::NotEq,
    BinaryOp::Contains,
    BinaryOp::ContainsAll,
    BinaryOp::ContainsAny,
];
