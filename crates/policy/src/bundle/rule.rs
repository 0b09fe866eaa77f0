//! One policy, parsed.

use std::collections::{BTreeMap, HashMap};

use cedar_policy::{Policy, PolicyId, ffi::DetailedError, pst};

use super::{
    BundleError, Cause, Place, PolicyError, alias,
    statement::{Excess, Statement},
};
use crate::{Compat, path::JsonPath};

/// A policy of the bundle.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// What log and caller know it by.
    pub(crate) id: String,
    /// Path of its file in the bundle.
    pub(crate) file: String,
    /// Line of its first token.
    pub(crate) line: usize,
    /// As Cedar evaluates it, older names resolved.
    pub(crate) policy: Policy,
    /// The same, as a tree.
    pub(crate) body: pst::Template,
    /// What a matching permit asks to be redacted.
    pub(crate) redact: Vec<JsonPath>,
    text: String,
}

impl Rule {
    /// Its place, for messages.
    pub(crate) fn place(&self) -> Place {
        self.place_at(self.line)
    }

    /// The place of `word`, which it contains: the line of its first occurrence.
    pub(crate) fn place_of(&self, word: &str) -> Place {
        self.place_at(self.line_at(self.text.find(word).unwrap_or_default()))
    }

    /// The line of a byte of its text.
    pub(crate) fn line_at(&self, offset: usize) -> usize {
        let before = self.text.get(..offset).unwrap_or_default();
        self.line.saturating_add(before.matches('\n').count())
    }

    /// A place in it.
    pub(crate) fn place_at(&self, line: usize) -> Place {
        Place {
            file: self.file.clone(),
            line,
            policy: Some(self.id.clone()),
        }
    }

    /// Whether it permits.
    pub(crate) fn permits(&self) -> bool {
        match self.body.effect {
            pst::Effect::Permit => true,
            pst::Effect::Forbid => false,
        }
    }

    /// Its annotations; one without a value is empty.
    pub(crate) fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.body
            .annotations
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Reads statements, file after file, and gives each its id.
#[derive(Debug)]
pub(super) struct Reader {
    compat: Compat,
    rules: Vec<Rule>,
    ids: HashMap<String, usize>,
    errors: Vec<BundleError>,
    count: usize,
}

impl Reader {
    pub(super) fn new(compat: Compat) -> Self {
        Self {
            compat,
            rules: Vec::new(),
            ids: HashMap::new(),
            errors: Vec::new(),
            count: 0,
        }
    }

    /// How many statements have been read.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Reads the statement that is the `index`th of its file.
    pub(super) fn read(&mut self, file: &str, index: usize, statement: &Statement<'_>) {
        let implicit = match self.compat {
            Compat::Off => format!("{file}:{index}"),
            Compat::V07 => format!("policy{}", self.count),
        };
        self.count = self.count.saturating_add(1);
        match parse(file, implicit.clone(), statement) {
            Ok(rule) => self.keep(rule, &implicit),
            Err(causes) => self.errors.extend(causes),
        }
    }

    /// The rules in order, or everything that is wrong with them.
    pub(super) fn finish(self) -> Result<Vec<Rule>, Vec<BundleError>> {
        if self.errors.is_empty() {
            Ok(self.rules)
        } else {
            Err(self.errors)
        }
    }

    fn keep(&mut self, mut rule: Rule, implicit: &str) {
        let other = self.ids.get(&rule.id).and_then(|at| self.rules.get(*at));
        match (other, self.compat) {
            (None, Compat::Off | Compat::V07) => {}
            // There `@id` was an annotation like any other.
            (Some(_), Compat::V07) if !self.ids.contains_key(implicit) => {
                rule.policy = rule.policy.new_id(PolicyId::new(implicit));
                implicit.clone_into(&mut rule.id);
            }
            (Some(other), Compat::Off | Compat::V07) => {
                let (id, other) = (rule.id.clone(), other.place().to_string());
                let (place, cause) = (rule.place(), Cause::DuplicateId { id, other });
                self.errors
                    .push(PolicyError::Policy { place, cause }.into());
                return;
            }
        }
        self.ids.insert(rule.id.clone(), self.rules.len());
        self.rules.push(rule);
    }
}

fn parse(
    file: &str,
    implicit: String,
    statement: &Statement<'_>,
) -> Result<Rule, Vec<BundleError>> {
    let refuse = |line, cause| {
        let (file, policy) = (file.to_owned(), None);
        BundleError::Policy(PolicyError::Policy {
            place: Place { file, line, policy },
            cause,
        })
    };
    if let Some(excess) = statement.excess {
        return Err(vec![refuse(statement.line, excess.cause())]);
    }
    let policy = Policy::parse(None, statement.text).map_err(|errors| {
        let found = errors
            .iter()
            .map(|error| syntax(&DetailedError::from(error), statement));
        found
            .map(|(line, cause)| refuse(line, cause))
            .collect::<Vec<_>>()
    })?;
    let annotated = policy.annotation("id").filter(|id| !id.is_empty());
    let id = annotated.map_or(implicit, ToOwned::to_owned);
    let (policy, body) = resolve(policy.new_id(PolicyId::new(&id))).map_err(|error| {
        let (message, help) = (error.to_string(), None);
        vec![refuse(statement.line, Cause::Invalid { message, help })]
    })?;
    let mut rule = Rule {
        id,
        file: file.to_owned(),
        line: statement.line,
        policy,
        body,
        redact: Vec::new(),
        text: statement.text.to_owned(),
    };
    rule.redact = redactions(&rule)?;
    Ok(rule)
}

/// The policy with older names resolved, and its tree. Where there are none it is left as it was
/// parsed, for then it knows the places of its parts.
fn resolve(policy: Policy) -> Result<(Policy, pst::Template), pst::PstConstructionError> {
    let body = policy.to_pst()?.body().clone();
    let Some(body) = alias::resolve(&body)? else {
        return Ok((policy, body));
    };
    let resolved = pst::Policy::Static(pst::StaticPolicy::try_from(body.clone())?);
    Ok((
        Policy::from_pst(resolved)?.new_id(policy.id().clone()),
        body,
    ))
}

impl Excess {
    fn cause(self) -> Cause {
        match self {
            Self::Nesting => Cause::Nesting,
            Self::Operators => Cause::Operators,
            Self::Tokens => Cause::Tokens,
        }
    }
}

/// What Cedar's parser says, with the remedies that its authors cannot know.
fn syntax(error: &DetailedError, statement: &Statement<'_>) -> (usize, Cause) {
    let offset = error
        .source_locations
        .first()
        .map_or(0, |label| label.loc.start);
    let before = statement.text.get(..offset).unwrap_or_default();
    let line = statement.line.saturating_add(before.matches('\n').count());
    if statement.text.contains("?principal") || statement.text.contains("?resource") {
        return (line, Cause::Template);
    }
    let mut words = statement.text.split_whitespace();
    let help = if words.any(|word| word == "advice" || word.starts_with("advice{")) {
        Some(NO_ADVICE.to_owned())
    } else {
        error.help.clone()
    };
    let message = error.message.clone();
    (line, Cause::Invalid { message, help })
}

fn redactions(rule: &Rule) -> Result<Vec<JsonPath>, Vec<BundleError>> {
    let Some(value) = rule.body.annotations.get("redact") else {
        return Ok(Vec::new());
    };
    let mut errors = Vec::new();
    let mut paths = Vec::new();
    let mut refuse = |path: &str, reason: String| {
        let cause = Cause::Redaction {
            path: path.to_owned(),
            reason,
        };
        errors.push(BundleError::from(PolicyError::Policy {
            place: rule.place(),
            cause,
        }));
    };
    for word in words(value) {
        match JsonPath::parse_in_result(&word) {
            Ok(path) => paths.push(path),
            Err(error) => refuse(&word, error.to_string()),
        }
    }
    if value.trim().is_empty() {
        refuse(
            value,
            "it names nothing: write paths such as `$.structuredContent.ssn`".to_owned(),
        );
    }
    if errors.is_empty() {
        Ok(paths)
    } else {
        Err(errors)
    }
}

/// Parts between commas and white space, where these are not inside quotes.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut escaped = false;
    for char in text.chars() {
        let separates = quote.is_none() && (char == ',' || char.is_whitespace());
        match (quote, char) {
            _ if escaped => {}
            (None, '"' | '\'') => quote = Some(char),
            (Some(open), _) if open == char => quote = None,
            _ => {}
        }
        escaped = quote.is_some() && char == '\\' && !escaped;
        match words.last_mut() {
            Some(word) if !separates => word.push(char),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The annotations of several rules, merged in the bundle's order: of two values the later counts.
pub(crate) fn merged<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> BTreeMap<String, String> {
    rules
        .into_iter()
        .flat_map(Rule::annotations)
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

const NO_ADVICE: &str = "Cedar has no `advice` block: annotate the policy, such as \
                         `@redact(\"$.structuredContent.ssn\")` before the `permit`";
