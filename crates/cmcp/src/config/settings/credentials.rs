//! What is shown to servers.

use std::{collections::BTreeMap, sync::Arc};

use cmcp_gateway::{
    Clock, UpstreamCredential,
    oauth::{
        Algorithm, Authority, Client, ClientSettings, DocumentFetcher, ListedHosts, Proof,
        SecretMethod, Source, UnixTime, Url,
    },
};
use cmcp_policy::catalog::{Catalog, Transport};

use crate::config::{
    Purpose, Request,
    fault::{Fault, Problem},
    keys,
    secret::{Secrets, Wanted},
    shape::Shaped,
    values::{Item, Value, Values},
    yaml::Position,
};

/// The credentials of one file, to be held against the catalog.
pub(crate) struct Credentials<'a> {
    file: &'a str,
    values: &'a Values,
    secrets: Secrets<'a>,
    /// Names of servers and issuers that may lead to private addresses.
    private_hosts: &'a [String],
}

impl<'a> Credentials<'a> {
    pub(crate) fn new(
        request: &'a Request<'_>,
        file: &'a str,
        values: &'a Values,
        private_hosts: &'a [String],
    ) -> Self {
        let wanted = match request.purpose {
            Purpose::Start => Wanted::Now,
            Purpose::Validate => Wanted::Later,
        };
        let secrets = Secrets {
            environment: request.environment,
            folder: values.folder().to_owned(),
            wanted,
        };
        Self {
            file,
            values,
            secrets,
            private_hosts,
        }
    }

    /// What each server is shown; what is wrong goes to `problems`.
    pub(crate) fn bind(
        &self,
        catalog: &Catalog,
        problems: &mut Vec<Problem>,
    ) -> BTreeMap<String, UpstreamCredential> {
        let key = keys::UPSTREAM_CREDENTIALS.path;
        let Some(Value::Shaped(all)) = self.values.value(&keys::UPSTREAM_CREDENTIALS) else {
            return BTreeMap::new();
        };
        let mut bound = BTreeMap::new();
        for (server, credential) in all.members() {
            let path = format!("{key}.{server}");
            let mut reader = Reader {
                all: self,
                path: &path,
                problems,
            };
            let spec = catalog.servers().iter().find(|spec| spec.name == server);
            let url = match spec.map(|spec| &spec.transport) {
                Some(Transport::Http { url, .. }) => url,
                Some(Transport::Stdio { .. }) => {
                    let server = server.to_owned();
                    reader.report(credential.at, Fault::CredentialOfProcess { server });
                    continue;
                }
                None => {
                    let server = server.to_owned();
                    reader.report(credential.at, Fault::CredentialOfNobody { server });
                    continue;
                }
            };
            if let Some(source) = reader.source(credential, url) {
                let (url, source) = (url.clone(), Arc::new(source));
                bound.insert(server.to_owned(), UpstreamCredential { url, source });
            }
        }
        bound
    }
}

struct Reader<'a> {
    all: &'a Credentials<'a>,
    path: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn source(&mut self, credential: &Shaped, url: &str) -> Option<Source> {
        // Whatever is shown would cross the network in the clear otherwise.
        let at = credential.at;
        let text = url.to_owned();
        let upstream = self.url(self.path, &Item { at, text })?;
        let secret = self.secret(self.path, credential, "bearer");
        match (secret, credential.get("oauth")) {
            (Some(secret), None) => Some(Source::bearer(secret, now())),
            (None, Some(grant)) => self.client(grant, upstream).map(Source::client),
            (Some(_), Some(grant)) => {
                let fault = Fault::OneOfTwo {
                    first: format!("{}.bearer_env", self.path),
                    second: format!("{}.oauth", self.path),
                };
                self.report(grant.at, fault);
                None
            }
            (None, None) => {
                let expected = "`bearer_env`, `bearer_file` or `oauth`".to_owned();
                let key = self.path.to_owned();
                self.report(credential.at, Fault::NoValue { key, expected });
                None
            }
        }
    }

    fn client(&mut self, grant: &Shaped, upstream: Url) -> Option<Client> {
        let path = format!("{}.oauth", self.path);
        let authority = self.authority(&path, grant)?;
        let proof = self.proof(&path, grant)?;
        let settings = ClientSettings {
            upstream,
            authority,
            client_id: grant.text("client_id")?.text,
            proof,
            scope: grant.text("scope").map(|item| item.text),
            resource: grant.text("resource").map(|item| item.text),
        };
        let mut listed = ListedHosts::hosts(self.all.private_hosts.iter().cloned());
        listed = listed.and(&settings.upstream);
        match &settings.authority {
            Authority::Endpoint(url) | Authority::Issuer(url) => listed = listed.and(url),
            Authority::OfServer => {}
        }
        match DocumentFetcher::new(listed) {
            Ok(fetcher) => Some(Client::new(settings, fetcher, now())),
            Err(cause) => {
                self.report(grant.at, Fault::Tls(cause.to_string()));
                None
            }
        }
    }

    /// Without a place for it a secret would go wherever the server says.
    fn authority(&mut self, path: &str, grant: &Shaped) -> Option<Authority> {
        match (grant.text("token_endpoint"), grant.text("issuer")) {
            (Some(item), None) => {
                let url = self.url(&format!("{path}.token_endpoint"), &item)?;
                Some(Authority::Endpoint(url))
            }
            (None, Some(item)) => {
                let url = self.url(&format!("{path}.issuer"), &item)?;
                Some(Authority::Issuer(url))
            }
            (Some(item), Some(_)) => {
                let fault = Fault::OneOfTwo {
                    first: format!("{path}.token_endpoint"),
                    second: format!("{path}.issuer"),
                };
                self.report(item.at, fault);
                None
            }
            (None, None) => {
                let key = format!("{path}.issuer");
                let expected = "the issuer that knows this client, or `token_endpoint`".to_owned();
                self.report(grant.at, Fault::NoValue { key, expected });
                None
            }
        }
    }

    fn proof(&mut self, path: &str, grant: &Shaped) -> Option<Proof> {
        let before = self.problems.len();
        let secret = self.secret(path, grant, "client_secret");
        let key = self.secret(path, grant, "key");
        let text = |name: &str| grant.text(name).map(|item| item.text);
        match (secret, key) {
            (Some(secret), None) => {
                let method = match text("auth_method").as_deref() {
                    Some("client_secret_basic") => Some(SecretMethod::Basic),
                    Some("client_secret_post") => Some(SecretMethod::Post),
                    Some(_) | None => None,
                };
                Some(Proof::Secret { secret, method })
            }
            (None, Some(key)) => {
                let algorithm = match text("key_algorithm") {
                    None => None,
                    Some(name) => Some(Algorithm::parse(&name)?),
                };
                let kid = text("key_id");
                Some(Proof::Key {
                    key,
                    algorithm,
                    kid,
                })
            }
            (Some(_), Some(_)) => {
                let fault = Fault::OneOfTwo {
                    first: format!("{path}.client_secret_env"),
                    second: format!("{path}.key_file"),
                };
                self.report(grant.at, fault);
                None
            }
            (None, None) => {
                if self.problems.len() == before {
                    let key = format!("{path}.client_secret_env");
                    let expected = "`client_secret_env`, `client_secret_file` or `key_file`";
                    let expected = expected.to_owned();
                    self.report(grant.at, Fault::NoValue { key, expected });
                }
                None
            }
        }
    }

    fn secret(
        &mut self,
        path: &str,
        holder: &Shaped,
        name: &str,
    ) -> Option<cmcp_gateway::oauth::SecretSource> {
        let place = (self.all.file, path);
        self.all.secrets.read(place, (holder, name), self.problems)
    }

    fn url(&mut self, key: &str, item: &Item) -> Option<Url> {
        match item.text.parse() {
            Ok(url) => Some(url),
            Err(cause) => {
                let (key, url) = (key.to_owned(), item.text.clone());
                self.report(item.at, Fault::Url { key, url, cause });
                None
            }
        }
    }

    fn report(&mut self, at: Position, fault: Fault) {
        self.problems.push(Problem::at(self.all.file, at, fault));
    }
}

/// The system's clock, in seconds.
fn now() -> UnixTime {
    let clock = Clock::system();
    Arc::new(move || clock.unix_seconds())
}
