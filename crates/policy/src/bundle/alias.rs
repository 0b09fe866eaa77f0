//! `cMCP::` names of older bundles, on the parsed policy: strings and comments are never touched.

use std::sync::Arc;

use cedar_policy::pst::{
    ActionConstraint, Clause, EntityOrSlot, EntityType, EntityUID, Expr, Id, Literal, Name,
    PrincipalConstraint, PstConstructionError, ResourceConstraint, Template,
};

/// The policy with every `cMCP::` name replaced by ours; `None` when it has none.
pub(super) fn resolve(policy: &Template) -> Result<Option<Template>, PstConstructionError> {
    let principal = principal(&policy.principal)?;
    let action = action(&policy.action)?;
    let resource = resource(&policy.resource)?;
    let clauses = policy
        .clauses()
        .iter()
        .map(clause)
        .collect::<Result<Vec<_>, _>>()?;
    let resolved = Template::new(
        policy.id.clone(),
        policy.effect,
        principal,
        action,
        resource,
    )
    .with_annotations(policy.annotations.clone())
    .try_with_clauses(clauses)?;
    Ok((resolved != *policy).then_some(resolved))
}

fn principal(scope: &PrincipalConstraint) -> Result<PrincipalConstraint, PstConstructionError> {
    Ok(match scope {
        PrincipalConstraint::Any => PrincipalConstraint::Any,
        PrincipalConstraint::Eq(entity) => PrincipalConstraint::Eq(one(entity)?),
        PrincipalConstraint::In(entity) => PrincipalConstraint::In(one(entity)?),
        PrincipalConstraint::Is(ty) => PrincipalConstraint::Is(entity_type(ty)?),
        PrincipalConstraint::IsIn(ty, entity) => {
            PrincipalConstraint::IsIn(entity_type(ty)?, one(entity)?)
        }
    })
}

fn resource(scope: &ResourceConstraint) -> Result<ResourceConstraint, PstConstructionError> {
    Ok(match scope {
        ResourceConstraint::Any => ResourceConstraint::Any,
        ResourceConstraint::Eq(entity) => ResourceConstraint::Eq(one(entity)?),
        ResourceConstraint::In(entity) => ResourceConstraint::In(one(entity)?),
        ResourceConstraint::Is(ty) => ResourceConstraint::Is(entity_type(ty)?),
        ResourceConstraint::IsIn(ty, entity) => {
            ResourceConstraint::IsIn(entity_type(ty)?, one(entity)?)
        }
    })
}

fn action(scope: &ActionConstraint) -> Result<ActionConstraint, PstConstructionError> {
    Ok(match scope {
        ActionConstraint::Any => ActionConstraint::Any,
        ActionConstraint::Eq(entity) => ActionConstraint::Eq(uid(entity)?),
        ActionConstraint::In(entities) => {
            ActionConstraint::In(entities.iter().map(uid).collect::<Result<_, _>>()?)
        }
    })
}

fn clause(clause: &Clause) -> Result<Clause, PstConstructionError> {
    Ok(match clause {
        Clause::When(body) => Clause::When(expression(body)?),
        Clause::Unless(body) => Clause::Unless(expression(body)?),
    })
}

fn one(entity: &EntityOrSlot) -> Result<EntityOrSlot, PstConstructionError> {
    Ok(match entity {
        EntityOrSlot::Entity(entity) => EntityOrSlot::Entity(uid(entity)?),
        EntityOrSlot::Slot(slot) => EntityOrSlot::Slot(*slot),
    })
}

fn uid(entity: &EntityUID) -> Result<EntityUID, PstConstructionError> {
    Ok(EntityUID {
        ty: entity_type(&entity.ty)?,
        eid: entity.eid.clone(),
    })
}

fn entity_type(ty: &EntityType) -> Result<EntityType, PstConstructionError> {
    let EntityType(Name { id, namespace }) = ty;
    if !matches!(namespace.as_slice(), [one] if one.as_str() == NAMESPACE) {
        return Ok(ty.clone());
    }
    // Its documents call the caller `Principal`, its requests `Agent`: both are ours.
    let id = if id.as_str() == "Principal" {
        Id::new("Agent")?
    } else {
        id.clone()
    };
    Ok(EntityType(Name {
        id,
        namespace: Arc::default(),
    }))
}

fn expression(expr: &Arc<Expr>) -> Result<Arc<Expr>, PstConstructionError> {
    Ok(Arc::new(match expr.as_ref() {
        Expr::Literal(Literal::EntityUID(entity)) => {
            Expr::Literal(Literal::EntityUID(uid(entity)?))
        }
        Expr::UnaryOp { op, expr } => Expr::UnaryOp {
            op: *op,
            expr: expression(expr)?,
        },
        Expr::BinaryOp { op, left, right } => Expr::BinaryOp {
            op: *op,
            left: expression(left)?,
            right: expression(right)?,
        },
        Expr::GetAttr { expr, attr } => Expr::GetAttr {
            expr: expression(expr)?,
            attr: attr.clone(),
        },
        Expr::HasAttr { expr, attrs } => Expr::HasAttr {
            expr: expression(expr)?,
            attrs: attrs.clone(),
        },
        Expr::Like { expr, pattern } => Expr::Like {
            expr: expression(expr)?,
            pattern: pattern.clone(),
        },
        Expr::Is {
            expr,
            entity_type: ty,
            in_expr,
        } => Expr::Is {
            expr: expression(expr)?,
            entity_type: entity_type(ty)?,
            in_expr: in_expr.as_ref().map(expression).transpose()?,
        },
        Expr::IfThenElse {
            cond,
            then_expr,
            else_expr,
        } => Expr::IfThenElse {
            cond: expression(cond)?,
            then_expr: expression(then_expr)?,
            else_expr: expression(else_expr)?,
        },
        Expr::Set(elements) => {
            Expr::Set(elements.iter().map(expression).collect::<Result<_, _>>()?)
        }
        Expr::Record(members) => Expr::Record(
            members
                .iter()
                .map(|(name, value)| Ok((name.clone(), expression(value)?)))
                .collect::<Result<_, PstConstructionError>>()?,
        ),
        // What is left holds no entity name; a kind of expression that this version of Cedar does
        // not have yet would keep its names, and the validator refuse them.
        Expr::Literal(_) | Expr::Var(_) | Expr::Slot(_) | Expr::Unknown { .. } | _ => {
            expr.as_ref().clone()
        }
    }))
}

const NAMESPACE: &str = "cMCP";
