//! What a policy's conditions demand before they look at anything else.
//!
//! `when { context.workflow_id == "billing" && … }` is false for every other workflow, and Cedar
//! never evaluates the rest of it then. Such a policy need not be asked about other workflows, nor
//! one that begins with `resource.tool_name == …` about other tools. Only a beginning counts, and
//! only comparisons that cannot fail: what stands behind anything else might have to fail first.

use std::collections::BTreeSet;

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, Template, Var};

/// The values that a policy demands; `None` where it takes any.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Needs {
    /// Of `resource.tool_name`.
    pub(crate) names: Option<BTreeSet<String>>,
    pub(crate) workflows: Option<BTreeSet<String>>,
}

#[derive(Clone, Copy)]
enum Attribute {
    Name,
    Workflow,
}

impl Needs {
    pub(crate) fn of(policy: &Template) -> Self {
        let mut needs = Self::default();
        for clause in policy.clauses() {
            match clause {
                Clause::When(body) if needs.conjunction(body) => {}
                Clause::When(_) | Clause::Unless(_) => break,
            }
        }
        needs
    }

    /// Whether all of it was understood.
    fn conjunction(&mut self, expr: &Expr) -> bool {
        if let Expr::BinaryOp {
            op: BinaryOp::And,
            left,
            right,
        } = expr
        {
            return self.conjunction(left) && self.conjunction(right);
        }
        let Some((attribute, values)) = demand(expr) else {
            return false;
        };
        let known = match attribute {
            Attribute::Name => &mut self.names,
            Attribute::Workflow => &mut self.workflows,
        };
        *known = Some(match known.take() {
            None => values,
            Some(known) => known.intersection(&values).cloned().collect(),
        });
        true
    }
}

fn demand(expr: &Expr) -> Option<(Attribute, BTreeSet<String>)> {
    let Expr::BinaryOp { op, left, right } = expr else {
        return None;
    };
    if *op == BinaryOp::Eq {
        let one = |attribute: &Expr, literal: &Expr| {
            Some((known(attribute)?, BTreeSet::from([text(literal)?])))
        };
        return one(left, right).or_else(|| one(right, left));
    }
    let Expr::Set(elements) = left.as_ref() else {
        return None;
    };
    let values = elements
        .iter()
        .map(|element| text(element))
        .collect::<Option<_>>()?;
    Some((known(right)?, values)).filter(|_| *op == BinaryOp::Contains)
}

/// An attribute that every request has.
fn known(expr: &Expr) -> Option<Attribute> {
    let Expr::GetAttr { expr, attr } = expr else {
        return None;
    };
    match (expr.as_ref(), attr.as_str()) {
        (Expr::Var(Var::Context), "workflow_id") => Some(Attribute::Workflow),
        (Expr::Var(Var::Resource), "tool_name") => Some(Attribute::Name),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<String> {
    let Expr::Literal(Literal::String(text)) = expr else {
        return None;
    };
    Some(text.to_string())
}
