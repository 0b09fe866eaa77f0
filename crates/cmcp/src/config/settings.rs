//! From checked values and the environment to types that cannot be wrong.

mod credentials;
mod data;
mod limits;
mod oauth;

pub(crate) use credentials::Credentials;
pub(crate) use data::host_name;

use std::{collections::BTreeMap, path::PathBuf, str::FromStr, time::Duration};

use cmcp_gateway::{Listen, PrincipalEntry, TokenHash};
use cmcp_policy::{
    Compat,
    engine::{AttributeValue, Principal},
    mode::Mode,
    path::JsonPath,
};

use crate::config::{
    Config, Purpose, Request,
    environment::{self, Environment},
    evidence::{Asked, EvidenceSource, Provider},
    fault::{Code, Fault, Problem},
    files, keys,
    listen::{self, Credentials as Callers, Danger, RawListen, Stage},
    pins::Pins,
    principals::{Attribute, RawPrincipal},
    values::{Value, Values},
};

/// Builds the configuration; `None` when a part of it has no value because of a problem.
pub(crate) fn build(
    request: &Request<'_>,
    file: &str,
    values: Values,
    problems: &mut Vec<Problem>,
) -> Option<Config> {
    let mut builder = Builder {
        request,
        file,
        values: &values,
        problems,
    };
    let stage = builder.stage();
    let dangers = builder.dangers();
    let raw_principals = builder.raw_principals();
    let tokens = builder.tokens(&raw_principals);
    let credentials = builder.credentials(&tokens, &raw_principals, stage);
    let listen = builder.listen(stage, credentials, &dangers);
    let pins = builder.pins(stage);
    let evidence = builder.evidence(stage, &dangers);
    let vocabulary = builder.vocabulary();
    let sink_policy = builder.sink_policy(&vocabulary);
    let redact = builder.parsed(
        &keys::REDACT,
        "a path into a result, as `$.structuredContent.a[*].b`",
        |text| JsonPath::parse_in_result(text).ok(),
    );
    let oauth = builder.oauth(&raw_principals);
    let hosts = builder.hosts(oauth.as_ref().map(|oauth| &oauth.resource));
    let private_hosts = builder.private_hosts();
    let limits = builder.limits();
    let trust_domain = builder.trust_domain();
    let session_drain = builder.session_drain();
    let database = builder.database();
    let mode = builder.mode();
    let compat = values.pick(&keys::COMPAT, Compat::Off, &[("cmcp-0.7", Compat::V07)]);
    Some(Config {
        listen: listen?,
        hosts,
        limits,
        oauth,
        credentials: BTreeMap::new(),
        private_hosts,
        principals: raw_principals.into_iter().filter_map(principal).collect(),
        operator: tokens
            .operator
            .as_deref()
            .map(|token| TokenHash::of(token.as_bytes())),
        mode,
        compat,
        vocabulary,
        sink_policy,
        redact,
        trust_domain,
        pins,
        evidence: evidence?,
        session_drain,
        database,
        notices: Vec::new(),
        values,
    })
}

/// Tokens as the environment holds them; they live until their hashes are taken.
struct Tokens {
    shared: Option<String>,
    operator: Option<String>,
}

struct Builder<'a> {
    request: &'a Request<'a>,
    file: &'a str,
    values: &'a Values,
    problems: &'a mut Vec<Problem>,
}

impl Builder<'_> {
    fn environment(&self) -> &Environment {
        self.request.environment
    }

    fn starts(&self) -> bool {
        self.request.purpose == Purpose::Start
    }

    fn stage(&mut self) -> Stage {
        let text = self
            .request
            .environment
            .text(&environment::DEV_MODE, self.problems);
        match text.as_deref() {
            None | Some("0") => Stage::Production,
            Some("1") => Stage::Development,
            Some(_) => {
                let fault = Fault::Variable {
                    code: Code::Config,
                    reason: "it is neither `0` nor `1`",
                    remedy: "set it to `1` for development mode, or unset it",
                };
                self.problems
                    .push(Problem::variable(environment::DEV_MODE.name, fault));
                Stage::Production
            }
        }
    }

    fn mode(&self) -> Mode {
        let key = &keys::ENFORCEMENT_MODE;
        let modes = [
            ("advisory", Mode::Advisory),
            ("enforcing", Mode::Enforcing),
            ("silent", Mode::Silent),
        ];
        let configured = || self.values.pick(key, Mode::Enforcing, &modes);
        self.request.enforcement.unwrap_or_else(configured)
    }

    fn dangers(&self) -> Vec<Danger> {
        [
            (&keys::DANGER_PLAIN_HTTP, Danger::PlainHttp),
            (&keys::DANGER_SOFTWARE_EVIDENCE, Danger::SoftwareEvidence),
        ]
        .into_iter()
        .filter(|(key, _)| self.values.flag(key))
        .map(|(_, danger)| danger)
        .collect()
    }

    fn raw_principals(&self) -> Vec<RawPrincipal> {
        match self.values.value(&keys::PRINCIPALS) {
            Some(Value::Principals(principals)) => principals,
            _ => Vec::new(),
        }
    }

    fn tokens(&mut self, principals: &[RawPrincipal]) -> Tokens {
        let shared = self.token(&environment::BEARER_TOKEN);
        let operator = self.token(&environment::OPERATOR_TOKEN);
        let hash = |token: &String| cmcp_evidence::Sha256Digest::of(token.as_bytes()).hex();
        let of_principal =
            |token: &String| principals.iter().any(|one| one.token_sha256 == hash(token));
        if operator.is_some() && operator == shared || operator.as_ref().is_some_and(of_principal) {
            let problem = Problem::variable(environment::OPERATOR_TOKEN.name, Fault::TokensEqual);
            self.problems.push(problem);
        }
        if shared.as_ref().is_some_and(of_principal) {
            let fault = Fault::Variable {
                code: Code::Config,
                reason: "it is also the token of a principal",
                remedy: "give the shared token a value of its own, or unset it",
            };
            self.problems
                .push(Problem::variable(environment::BEARER_TOKEN.name, fault));
        }
        Tokens { shared, operator }
    }

    fn token(&mut self, variable: &environment::Variable) -> Option<String> {
        let token = self.request.environment.text(variable, self.problems)?;
        if token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Some(token);
        }
        let fault = Fault::Variable {
            code: Code::Config,
            reason: "a token cannot hold blanks or characters beyond ASCII: no header carries them",
            remedy: "set another one, as `openssl rand -hex 32` makes it",
        };
        self.problems.push(Problem::variable(variable.name, fault));
        None
    }

    fn credentials(
        &mut self,
        tokens: &Tokens,
        principals: &[RawPrincipal],
        stage: Stage,
    ) -> Callers {
        let strict = self.starts() && stage == Stage::Production;
        if strict
            && self
                .environment()
                .get(environment::OPERATOR_TOKEN.name)
                .is_none()
        {
            self.missing(
                environment::OPERATOR_TOKEN.name,
                Code::OperatorTokenRequired,
                "set it to a secret that callers do not have (`openssl rand -hex 32`)",
            );
        }
        let issued = self.values.set(&keys::OAUTH_ISSUERS).is_some();
        if tokens.shared.is_some() || !principals.is_empty() || issued {
            let shared = tokens
                .shared
                .as_deref()
                .map(|token| TokenHash::of(token.as_bytes()));
            return Callers::Tokens { shared };
        }
        // A principal with a fault in it is a caller all the same: one message is enough.
        let intended = self
            .environment()
            .get(environment::BEARER_TOKEN.name)
            .is_some()
            || self.values.set(&keys::PRINCIPALS).is_some();
        if intended {
            return Callers::ToCome;
        }
        if strict {
            self.missing(
                environment::BEARER_TOKEN.name,
                Code::BearerTokenRequired,
                "set it to a secret (`openssl rand -hex 32`), or list `principals` in the file",
            );
        }
        match stage {
            Stage::Development => Callers::None,
            Stage::Production => Callers::ToCome,
        }
    }

    fn missing(&mut self, name: &'static str, code: Code, remedy: &'static str) {
        let fault = Fault::Missing {
            code,
            missing: "it is not set",
            remedy,
        };
        self.problems.push(Problem::variable(name, fault));
    }

    fn listen(&mut self, stage: Stage, credentials: Callers, dangers: &[Danger]) -> Option<Listen> {
        let addr = match self.values.text(&keys::LISTEN_ADDR) {
            // Where the file is silent the address follows from the environment of a start.
            None if !self.starts() => {
                let (addr, shared) = (listen::fallback(stage, credentials), None);
                return Some(Listen::Authenticated { addr, shared });
            }
            None => listen::fallback(stage, credentials),
            Some(text) => {
                let addr = listen::parse(&text);
                if addr.is_none() {
                    let expected = "`ip:port`, `[v6]:port` or `localhost:port`";
                    self.mistaken(&keys::LISTEN_ADDR, &text, expected);
                }
                addr?
            }
        };
        let raw = RawListen {
            addr,
            credentials,
            stage,
            dangers,
        };
        match Listen::try_from(raw) {
            Ok(listen) => Some(listen),
            Err(fault) => {
                let at = self.values.position(&keys::LISTEN_ADDR);
                self.problems.push(Problem::at(self.file, at, fault));
                None
            }
        }
    }

    fn pins(&mut self, stage: Stage) -> Pins {
        let pins = Pins::read(self.request.environment, self.problems);
        self.reload(&pins);
        if self.starts() && stage == Stage::Production {
            for (variable, code, remedy) in [
                (
                    &environment::POLICY_HASH,
                    Code::PolicyHashRequired,
                    "set it to what `cmcp validate-bundle --bundle-path …` prints for the reviewed bundle",
                ),
                (
                    &environment::CATALOG_HASH,
                    Code::CatalogHashRequired,
                    "set it to what `cmcp catalog show …` prints for the reviewed catalog",
                ),
            ] {
                if self.environment().get(variable.name).is_none() {
                    self.missing(variable.name, code, remedy);
                }
            }
        }
        pins
    }

    /// Bundles replace one another by their signatures alone.
    fn reload(&mut self, pins: &Pins) {
        let key = &keys::POLICY_RELOAD_INTERVAL;
        // A key with a fault in it is meant all the same: one message is enough.
        let signed = self
            .environment()
            .get(environment::SIGNING_KEY.name)
            .is_some();
        if self.values.number(key) == 0 || signed || !self.starts() {
            return;
        }
        let fault = match pins.policy {
            Some(_) => Fault::Missing {
                code: Code::PolicyReloadPinnedHash,
                missing: "newer bundles are looked for, and `CMCP_POLICY_HASH` allows this one alone",
                remedy: "pin `CMCP_POLICY_SIGNING_KEY` as well, or set `policy_reload_interval_seconds` to 0",
            },
            None => Fault::Missing {
                code: Code::PolicySigningKeyInvalid,
                missing: "newer bundles are looked for, and no key is pinned that may sign them",
                remedy: "set `CMCP_POLICY_SIGNING_KEY`, or set `policy_reload_interval_seconds` to 0",
            },
        };
        let at = self.values.position(key);
        self.problems.push(Problem::at(self.file, at, fault));
    }

    fn evidence(&mut self, stage: Stage, dangers: &[Danger]) -> Option<EvidenceSource> {
        let providers = [
            ("auto", Provider::Auto),
            ("software-only", Provider::Software),
        ];
        let provider = self
            .values
            .pick(&keys::PROVIDER, Provider::Auto, &providers);
        let asked = if stage == Stage::Development {
            Asked::Development
        } else if dangers.contains(&Danger::SoftwareEvidence) {
            Asked::Danger
        } else {
            Asked::Nobody
        };
        match EvidenceSource::choose(provider, asked) {
            Ok(source) => Some(source),
            Err(_) if !self.starts() => Some(EvidenceSource::ToCome),
            Err(fault) => {
                let at = self.values.position(&keys::PROVIDER);
                self.problems.push(Problem::at(self.file, at, fault));
                None
            }
        }
    }

    fn session_drain(&mut self) -> Duration {
        let configured = Duration::from_secs(self.values.number(&keys::SESSION_DRAIN));
        let variable = &environment::SESSION_DRAIN;
        let Some(text) = self.request.environment.text(variable, self.problems) else {
            return configured;
        };
        let seconds = f64::from_str(text.trim())
            .ok()
            .filter(|seconds| (0.0..=3600.0).contains(seconds));
        let (reason, remedy) = match seconds {
            Some(seconds) if self.values.set(&keys::SESSION_DRAIN).is_none() => {
                return Duration::from_secs_f64(seconds);
            }
            Some(_) => (
                "the file sets `session_close_drain_seconds` as well",
                "keep one of the two",
            ),
            None => (
                "it is not a number of seconds",
                "set it to a number from 0 to 3600",
            ),
        };
        let fault = Fault::Variable {
            code: Code::Config,
            reason,
            remedy,
        };
        self.problems.push(Problem::variable(variable.name, fault));
        configured
    }

    fn database(&mut self) -> PathBuf {
        let path = self.values.path(&keys::AUDIT_DB_PATH).unwrap_or_default();
        if let Some(kind) = files::network_filesystem(&path) {
            self.problems
                .push(Problem::file(&path, Fault::DatabaseOnNetwork { kind }));
        }
        path
    }
}

fn principal(raw: RawPrincipal) -> Option<PrincipalEntry> {
    let RawPrincipal {
        at: _,
        name,
        token_sha256,
        attributes,
    } = raw;
    let attributes = attributes
        .into_iter()
        .map(|(name, attribute)| {
            let value = match attribute {
                Attribute::Bool(flag) => AttributeValue::Bool(flag),
                Attribute::Long(number) => AttributeValue::Long(number),
                Attribute::Set(texts) => AttributeValue::Set(texts),
                Attribute::Text(text) => AttributeValue::String(text),
            };
            (name, value)
        })
        .collect();
    let token = token_sha256.parse().ok()?;
    Some(PrincipalEntry {
        principal: Principal { name, attributes },
        token,
    })
}
