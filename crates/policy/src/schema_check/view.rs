//! Our values as the validator sees them: not copied, and with every look counted.

use std::{borrow::Cow, cell::Cell};

use cmcp_json::{Number, Object, Value};
use jsonschema::{
    JsonType,
    json::{
        Array as ArrayView, Json, JsonNumber, Node as NodeView, NodeIdentity, Object as ObjectView,
    },
};

/// Our values, as a representation that the validator is built for.
#[derive(Clone, Copy, Debug)]
pub(super) struct View;

/// How many more looks at a value a check may take. Once it is spent every node looks like `null`,
/// so that the check ends soon, and its answer is not used.
#[derive(Debug)]
pub(super) struct Budget {
    left: Cell<u64>,
}

impl Budget {
    pub(super) fn for_value(value: &Value) -> Self {
        Self {
            left: Cell::new(
                count(value)
                    .saturating_mul(LOOKS_PER_NODE)
                    .saturating_add(LOOKS_AT_LEAST),
            ),
        }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    fn spend(&self, looks: u64) -> bool {
        self.left.set(self.left.get().saturating_sub(looks));
        !self.is_spent()
    }
}

/// A value, and the budget for looking at it.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    value: &'a Value,
    budget: &'a Budget,
}

impl<'a> Node<'a> {
    pub(super) fn new(value: &'a Value, budget: &'a Budget) -> Self {
        Self { value, budget }
    }

    fn look(&self) -> &'a Value {
        if self.budget.spend(1) {
            self.value
        } else {
            &Value::Null
        }
    }

    fn at(&self, value: &'a Value) -> Self {
        Self {
            value,
            budget: self.budget,
        }
    }
}

impl Json for View {
    type Node<'a> = Node<'a>;
    type PreparedKey = String;
    type StringBuffer = NameBuffer;

    // A lookup walks the members.
    const KEYS_PER_LOOKUP: usize = 8;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(
        buffer: &mut Self::StringBuffer,
        string: &str,
        f: impl FnOnce(Node<'_>) -> T,
    ) -> T {
        buffer.value = Value::from(string);
        f(Node {
            value: &buffer.value,
            budget: &buffer.budget,
        })
    }
}

/// A member name that is held against `propertyNames`, as a value with a budget of its own.
#[derive(Debug)]
pub(super) struct NameBuffer {
    value: Value,
    budget: Budget,
}

impl Default for NameBuffer {
    fn default() -> Self {
        Self {
            value: Value::Null,
            budget: Budget {
                left: Cell::new(LOOKS_AT_LEAST),
            },
        }
    }
}

impl<'a> NodeView<'a, View> for Node<'a> {
    type Object = Members<'a>;
    type Array = Elements<'a>;
    type Number = Spelled<'a>;

    fn as_object(&self) -> Option<Members<'a>> {
        self.look().as_object().map(|object| Members {
            object,
            node: self.clone(),
        })
    }

    fn as_array(&self) -> Option<Elements<'a>> {
        self.look().as_array().map(|elements| Elements {
            elements,
            node: self.clone(),
        })
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        self.look().as_str().map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<Spelled<'a>> {
        self.look().as_number().map(Spelled)
    }

    fn as_boolean(&self) -> Option<bool> {
        self.look().as_bool()
    }

    fn is_null(&self) -> bool {
        self.look().is_null()
    }

    fn json_type(&self) -> JsonType {
        match self.look() {
            Value::Null => JsonType::Null,
            Value::Bool(_) => JsonType::Boolean,
            Value::Number(_) => JsonType::Number,
            Value::String(_) => JsonType::String,
            Value::Array(_) => JsonType::Array,
            Value::Object(_) => JsonType::Object,
        }
    }

    fn to_value(&self) -> Cow<'a, serde_json::Value> {
        Cow::Owned(self.look().to_serde())
    }

    fn equals_value(&self, expected: &serde_json::Value) -> bool {
        equals(self.value, expected, self.budget)
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref(self.value).addr()))
    }
}

/// Equality with a value of the schema; numbers compare as numbers.
fn equals(value: &Value, expected: &serde_json::Value, budget: &Budget) -> bool {
    if !budget.spend(1) {
        return false;
    }
    match (value, expected) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Bool(a), serde_json::Value::Bool(b)) => a == b,
        (Value::Number(a), serde_json::Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a == b,
            (Some(_) | None, _) => Some(a.as_f64()) == b.as_f64(),
        },
        (Value::String(a), serde_json::Value::String(b)) => a == b,
        (Value::Array(a), serde_json::Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equals(a, b, budget))
        }
        (Value::Object(a), serde_json::Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| equals(a, b, budget)))
        }
        (
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_),
            _,
        ) => false,
    }
}

/// The members of an object.
#[derive(Debug)]
pub(super) struct Members<'a> {
    object: &'a Object,
    node: Node<'a>,
}

impl<'a> ObjectView<'a, View> for Members<'a> {
    type Node = Node<'a>;
    type MemberName = &'a str;
    type MembersIter = MembersIter<'a>;

    fn len(&self) -> usize {
        self.object.len()
    }

    fn get(&self, key: &String) -> Option<Node<'a>> {
        let walked = u64::try_from(self.object.len()).unwrap_or(u64::MAX) / MEMBERS_PER_LOOK;
        self.node.budget.spend(walked);
        self.object.get(key).map(|value| self.node.at(value))
    }

    fn members(&self) -> MembersIter<'a> {
        MembersIter {
            members: Box::new(self.object.iter()),
            node: self.node.clone(),
        }
    }
}

/// The members of an object, one after the other.
pub(super) struct MembersIter<'a> {
    members: Box<dyn Iterator<Item = (&'a str, &'a Value)> + 'a>,
    node: Node<'a>,
}

impl<'a> Iterator for MembersIter<'a> {
    type Item = (&'a str, Node<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.members
            .next()
            .map(|(name, value)| (name, self.node.at(value)))
    }
}

/// The elements of an array.
#[derive(Debug)]
pub(super) struct Elements<'a> {
    elements: &'a [Value],
    node: Node<'a>,
}

impl<'a> ArrayView<'a, View> for Elements<'a> {
    type Node = Node<'a>;
    type ElementsIter = ElementsIter<'a>;

    fn len(&self) -> usize {
        self.elements.len()
    }

    fn elements(&self) -> ElementsIter<'a> {
        ElementsIter {
            elements: self.elements.iter(),
            node: self.node.clone(),
        }
    }
}

/// The elements of an array, one after the other.
pub(super) struct ElementsIter<'a> {
    elements: std::slice::Iter<'a, Value>,
    node: Node<'a>,
}

impl<'a> Iterator for ElementsIter<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        self.elements.next().map(|value| self.node.at(value))
    }
}

/// A number, as spelled.
#[derive(Debug)]
pub(super) struct Spelled<'a>(&'a Number);

impl JsonNumber for Spelled<'_> {
    fn as_u64(&self) -> Option<u64> {
        self.0.as_u64()
    }

    fn as_i64(&self) -> Option<i64> {
        self.0.as_i64()
    }

    fn as_f64(&self) -> Option<f64> {
        Some(self.0.as_f64())
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.0.as_str())
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        let number = Value::Number(self.0.clone()).to_serde();
        Cow::Owned(number.as_number().cloned().unwrap_or_else(|| 0_u8.into()))
    }

    fn is_integer(&self) -> bool {
        self.0.is_integer_spelling() || self.0.as_f64().fract() == 0.0
    }
}

fn count(value: &Value) -> u64 {
    let below: u64 = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        Value::Array(elements) => elements.iter().map(count).sum(),
        Value::Object(object) => object.values().map(count).sum(),
    };
    below.saturating_add(1)
}

/// Looks that any check may take, whatever the value's size.
const LOOKS_AT_LEAST: u64 = 1 << 16;

/// Looks for each node of the value.
const LOOKS_PER_NODE: u64 = 1 << 9;

/// Members that a lookup passes at the price of one look.
const MEMBERS_PER_LOOK: u64 = 16;
