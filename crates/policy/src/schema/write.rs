//! The schema as text: what policies are validated against is what a person can read.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{ArgumentType, CONTEXT, Parameter, RESOURCE, Shape};
use crate::{decide::Action, request::Kind};

/// One action.
#[derive(Clone, Debug)]
pub(crate) struct Declaration<'a> {
    /// Its name.
    pub(crate) action: &'a str,
    /// The action that it is a member of.
    pub(crate) member_of: Option<&'a str>,
    /// The type of `context.arguments`.
    pub(crate) arguments: &'a Shape,
}

/// Builds the schema's text.
#[derive(Clone, Debug, Default)]
pub(crate) struct SchemaText(String);

impl SchemaText {
    /// A schema for these attributes of principals (Cedar type, and whether all have it).
    pub(crate) fn new(agent: &BTreeMap<String, (&'static str, bool)>) -> Self {
        let mut text = Self::default();
        text.line("entity Agent = {");
        for (name, (ty, always)) in agent {
            text.line(&format!(
                "  {}{}: {ty},",
                quote(name),
                if *always { "" } else { "?" }
            ));
        }
        text.line("};");
        text.thing(Kind::Tool);
        text
    }

    /// Adds the entities that are no tools.
    pub(crate) fn declare_things(&mut self) {
        for kind in [Kind::Resource, Kind::Prompt, Kind::Server] {
            self.thing(kind);
        }
    }

    fn thing(&mut self, kind: Kind) {
        let name = kind.type_name();
        // A URI is in the template that it is of.
        let groups = match kind {
            Kind::Resource => format!(" in [{name}]"),
            Kind::Tool | Kind::Prompt | Kind::Server => String::new(),
        };
        self.line(&format!("entity {name}{groups} = {{"));
        for member in RESOURCE {
            let (name, ty) = (quote(member.name), member.cedar_type);
            self.line(&format!("  {name}: {ty},"));
        }
        self.line("};");
    }

    /// Adds an action.
    pub(crate) fn declare(&mut self, declaration: &Declaration<'_>) {
        let Declaration {
            action,
            member_of,
            arguments,
        } = declaration;
        let group = member_of.map_or_else(String::new, |of| format!(" in [{}]", quote(of)));
        self.action(
            &format!("{}{group}", quote(action)),
            &[Kind::Tool],
            arguments,
        );
    }

    /// Adds an action that is no call of a tool.
    pub(crate) fn declare_other(&mut self, action: Action, arguments: &Shape) {
        self.action(&quote(action.as_str()), action.kinds(), arguments);
    }

    fn action(&mut self, action: &str, kinds: &[Kind], arguments: &Shape) {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.type_name()).collect();
        self.line(&format!("action {action} appliesTo {{"));
        self.line("  principal: [Agent],");
        self.line(&format!("  resource: [{}],", kinds.join(", ")));
        self.line("  context: {");
        for member in CONTEXT {
            if member.name == "arguments" {
                self.line(&format!("    \"arguments\": {},", record(arguments, 4)));
            } else {
                self.line(&format!(
                    "    {}: {},",
                    quote(member.name),
                    member.cedar_type
                ));
            }
        }
        self.line("  },");
        self.line("};");
    }

    /// The text.
    pub(crate) fn finish(self) -> String {
        self.0
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }
}

/// A type as Cedar writes it.
#[cfg(test)]
pub(super) fn cedar_type(ty: &ArgumentType) -> String {
    written(ty, 0)
}

fn written(ty: &ArgumentType, indent: usize) -> String {
    match ty {
        ArgumentType::Bool => "Bool".to_owned(),
        ArgumentType::Decimal => "decimal".to_owned(),
        ArgumentType::Long => "Long".to_owned(),
        ArgumentType::Record(shape) => record(shape, indent),
        ArgumentType::Set(element) => format!("Set<{}>", written(element, indent)),
        ArgumentType::String => "String".to_owned(),
    }
}

fn record(shape: &Shape, indent: usize) -> String {
    if shape.members.is_empty() {
        return "{}".to_owned();
    }
    let inner = indent.saturating_add(2);
    let mut text = "{\n".to_owned();
    for (name, parameter) in &shape.members {
        // Writing to a string does not fail.
        let _ = match parameter {
            Parameter::Typed { ty, .. } => {
                writeln!(
                    text,
                    "{:inner$}{}?: {},",
                    "",
                    quote(name),
                    written(ty, inner)
                )
            }
            Parameter::Untyped(why) => {
                writeln!(text, "{:inner$}// {} is left out: {why}", "", quote(name))
            }
        };
    }
    let _ = write!(text, "{:indent$}}}", "");
    text
}

/// A name as Cedar reads it back: nothing but printable ASCII between the quotes.
fn quote(name: &str) -> String {
    let mut quoted = "\"".to_owned();
    for char in name.chars() {
        match char {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(char);
            }
            ' '..='~' => quoted.push(char),
            _ => quoted.extend(char.escape_unicode()),
        }
    }
    quoted.push('"');
    quoted
}
