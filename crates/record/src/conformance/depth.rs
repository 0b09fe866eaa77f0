//! How far a record's build provenance can be walked (`trace.md` section 5, "Depth"): to the builder
//! it names, to the attestation it points at, to what was built in.

use cmcp_json::{Object, Value};

use super::{Input, InputError};

pub(super) fn answer(input: &Input<'_>) -> Result<Object, InputError> {
    let context = input.object("context")?;
    let provenance = input.object("build_provenance")?;
    let walk = Walk {
        context: &context,
        provenance: &provenance,
    };
    let answers = [Depth::Surface, Depth::Builder, Depth::Transitive]
        .map(|depth| (depth.as_str(), Value::Object(walk.to(depth).answer())));
    Ok(Object::from(answers))
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Depth {
    Surface,
    Builder,
    Transitive,
}

impl Depth {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Surface => "surface",
            Self::Builder => "builder",
            Self::Transitive => "transitive",
        }
    }
}

/// How a walk ended. What contradicts the record fails it; what does not resolve only ends the walk.
struct Walked {
    depth: Depth,
    failures: Vec<&'static str>,
    unresolved: Vec<&'static str>,
}

impl Walked {
    fn answer(&self) -> Object {
        let outcome = if self.failures.is_empty() {
            "accept"
        } else {
            "reject"
        };
        Object::from([
            ("outcome", Value::from(outcome)),
            ("verified_depth", Value::from(self.depth.as_str())),
            ("failures", names(&self.failures)),
            ("unresolved", names(&self.unresolved)),
        ])
    }
}

struct Walk<'a> {
    context: &'a Input<'a>,
    provenance: &'a Input<'a>,
}

impl Walk<'_> {
    fn to(&self, wanted: Depth) -> Walked {
        let mut walked = Walked {
            depth: Depth::Surface,
            failures: self.surface(),
            unresolved: Vec::new(),
        };
        if wanted == Depth::Surface {
            return walked;
        }
        let Some(statement) = self.attestation() else {
            walked.unresolved.push("attestation_missing");
            return walked;
        };
        walked.depth = Depth::Builder;
        walked.failures.extend(self.builder(statement));
        if wanted == Depth::Builder {
            return walked;
        }
        // What a shallower look already contradicts stays contradicted however far the walk goes.
        if !walked.failures.is_empty() {
            walked.depth = Depth::Transitive;
            return walked;
        }
        let (failures, unresolved) = self.dependencies(statement);
        if unresolved.is_empty() {
            walked.depth = Depth::Transitive;
        }
        walked.failures.extend(failures);
        walked.unresolved.extend(unresolved);
        walked
    }

    fn surface(&self) -> Vec<&'static str> {
        let mut failures = Vec::new();
        let artifact = self.context.optional("artifact_digest");
        let digest = self.provenance.optional("digest");
        if digest.and_then(Value::as_str).is_none() || digest != artifact {
            failures.push("artifact_digest_mismatch");
        }
        let trusted = self
            .context
            .optional("trusted_builders")
            .and_then(Value::as_array);
        let builder = self.provenance.optional("builder");
        if !trusted.is_some_and(|trusted| trusted.iter().any(|known| Some(known) == builder)) {
            failures.push("builder_untrusted");
        }
        failures
    }

    fn attestation(&self) -> Option<&Value> {
        let uri = self.provenance.optional("provenance_uri")?.as_str()?;
        let attestations = self.context.optional("attestations")?;
        attestations.get(uri)?.get("statement")
    }

    fn builder(&self, statement: &Value) -> Vec<&'static str> {
        let mut failures = Vec::new();
        let digest = self.provenance.optional("digest").and_then(Value::as_str);
        if !digest.is_some_and(|digest| is_subject(statement, digest)) {
            failures.push("attestation_subject_mismatch");
        }
        let named = at(statement, &["predicate", "runDetails", "builder", "id"]);
        if named.is_none() || named != self.provenance.optional("builder") {
            failures.push("attestation_builder_mismatch");
        }
        failures
    }

    /// What contradicts, and what does not resolve, of everything that was built in.
    fn dependencies(&self, statement: &Value) -> (Vec<&'static str>, Vec<&'static str>) {
        let path = ["predicate", "buildDefinition", "resolvedDependencies"];
        let listed = at(statement, &path).and_then(Value::as_array);
        let Some(listed) = listed.filter(|listed| !listed.is_empty()) else {
            return (Vec::new(), vec!["resolved_dependencies_absent"]);
        };
        let (mut failures, mut unresolved) = (Vec::new(), Vec::new());
        for dependency in listed {
            match self.dependency(dependency) {
                Found::Attested => {}
                Found::Contradicted(code) => push_once(&mut failures, code),
                Found::Missing => push_once(&mut unresolved, "dependency_attestation_missing"),
            }
        }
        (failures, unresolved)
    }

    fn dependency(&self, dependency: &Value) -> Found {
        let attestations = self.context.optional("dependency_attestations");
        let uri = dependency.get("uri").and_then(Value::as_str);
        let attestation = uri.and_then(|uri| attestations?.get(uri));
        let Some(attestation) = attestation else {
            return Found::Missing;
        };
        let digests = dependency.get("digest").and_then(Value::as_object);
        let subject = digests.is_some_and(|digests| {
            digests.iter().len() > 0
                && digests.iter().all(|(algorithm, digest)| {
                    let digest = digest.as_str().unwrap_or_default();
                    attestation.get("statement").is_some_and(|statement| {
                        is_subject(statement, &format!("{algorithm}:{digest}"))
                    })
                })
        });
        if !subject {
            return Found::Contradicted("dependency_subject_mismatch");
        }
        let issuer = at(attestation, &["verified_identity", "issuer"]);
        let trusted = self
            .context
            .optional("trusted_publisher_issuers")
            .and_then(Value::as_array);
        if trusted.is_some_and(|trusted| trusted.iter().any(|known| Some(known) == issuer)) {
            Found::Attested
        } else {
            Found::Contradicted("dependency_publisher_untrusted")
        }
    }
}

enum Found {
    Attested,
    Contradicted(&'static str),
    Missing,
}

/// Whether an in-toto statement is about `digest`, which is `algorithm:hexadecimal digits`.
fn is_subject(statement: &Value, digest: &str) -> bool {
    let Some((algorithm, digits)) = digest.split_once(':') else {
        return false;
    };
    let subjects = statement.get("subject").and_then(Value::as_array);
    subjects.is_some_and(|subjects| {
        subjects.iter().any(|subject| {
            let named = at(subject, &["digest", algorithm]).and_then(Value::as_str);
            named == Some(digits)
        })
    })
}

fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

fn push_once(list: &mut Vec<&'static str>, code: &'static str) {
    if !list.contains(&code) {
        list.push(code);
    }
}

fn names(codes: &[&'static str]) -> Value {
    Value::Array(codes.iter().map(|code| Value::from(*code)).collect())
}
