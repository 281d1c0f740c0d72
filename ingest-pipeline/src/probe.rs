//! The test of a connection, step by step.

use std::time::SystemTime;

use fhir_http::{CapabilityStatement, FhirClient};
use serde::Serialize;
use smart_auth::{BackendServices, Scope, ScopeSet, TokenResponse};

use crate::config::ConnectionSettings;
use crate::connect::{Connected, Surroundings};
use crate::error::causes;
use crate::vendor::Profile;
use crate::{Error, ErrorKind, Result};

/// What came of testing a connection.
#[derive(Clone, Debug, Serialize)]
pub struct ProbeReport {
    /// Name of the connection.
    pub connection: String,
    /// The steps, in order: `discovery`, `assertion`, `token`, `metadata`.
    pub steps: Vec<Step>,
    /// Milliseconds it took.
    pub elapsed_ms: u64,
    /// The organisation that runs the EHR, where it is configured.
    #[serde(skip)]
    pub site_name: Option<String>,
    /// The vendor, and what is known about its servers.
    #[serde(skip)]
    pub profile: &'static Profile,
    /// The fault of the first step that failed.
    #[serde(skip)]
    pub fault: Option<Fault>,
}

/// One step of the test.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// How it went.
    pub status: StepStatus,
    /// Milliseconds it took.
    pub elapsed_ms: u64,
    /// What was found.
    pub detail: String,
    /// What is likely wrong, and what to do.
    pub hint: Option<String>,
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    /// As it should.
    Ok,
    /// It works, but is worth a look.
    Warning,
    /// It does not work.
    Failed,
    /// It was not tried.
    Skipped,
}

/// What kind of fault a step had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server can't be reached, or not safely.
    Network,
    /// The server does not accept who we are.
    Authentication,
    /// The server refuses.
    Server,
}

/// Tests a connection: is there a SMART configuration, can we sign, do we get
/// a token, does the server answer.
///
/// # Errors
/// When the connection is not set up, such as without its key. A step that
/// fails is no error.
pub fn probe(settings: &ConnectionSettings, around: &Surroundings) -> Result<ProbeReport> {
    // Whoever tests a connection waits for the answer.
    let mut settings = settings.clone();
    settings.http.retries = settings.http.retries.min(RETRIES);
    let connected = Connected::new(&settings, around)?;
    let server = FhirClient::new(connected.fhir.clone(), &settings.base)?;
    let mut report = steps(around, connected.auth.as_deref(), &server, &settings.types);
    report.connection = settings.name;
    report.site_name = settings.site_name;
    report.profile = settings.profile;
    Ok(report)
}

/// Tests the FHIR server that is the store in the same way. Nothing is written
/// to it. The report calls it `store`.
///
/// # Errors
/// As [`probe`].
#[cfg(feature = "server")]
pub fn probe_store(
    settings: &crate::config::StoreServer,
    around: &Surroundings,
) -> Result<ProbeReport> {
    let mut settings = settings.clone();
    settings.http.retries = settings.http.retries.min(RETRIES);
    let connected = crate::connect::ConnectedStore::new(&settings, around)?;
    let auth = connected.auth.as_deref();
    Ok(steps(around, auth, &connected.client()?, &[]))
}

fn steps(
    around: &Surroundings,
    auth: Option<&BackendServices>,
    server: &FhirClient,
    types: &[String],
) -> ProbeReport {
    let started = around.clock.now();
    let mut probe = Probe {
        around,
        steps: Vec::new(),
        fault: None,
    };
    match auth {
        Some(auth) => probe.authentication(auth),
        None => {
            for name in ["discovery", "assertion", "token"] {
                probe.skip(name, "no client_id is configured: an open server");
            }
        }
    }
    probe.metadata(server, types);
    ProbeReport {
        connection: "store".to_owned(),
        elapsed_ms: probe.since(started),
        steps: probe.steps,
        site_name: None,
        profile: Profile::generic(),
        fault: probe.fault,
    }
}

/// Retries of a test.
const RETRIES: u32 = 1;

struct Probe<'a> {
    around: &'a Surroundings,
    steps: Vec<Step>,
    fault: Option<Fault>,
}

/// What a step found, and a warning.
type Found = (String, Option<String>);

impl Probe<'_> {
    fn authentication(&mut self, auth: &BackendServices) {
        let discovered = self.step("discovery", || match auth.configuration()? {
            Some(document) => {
                // Without its query, which may hold anything.
                let endpoint = document.token_endpoint.to_string();
                let shown = endpoint.split('?').next().unwrap_or_default();
                Ok((format!("token endpoint {shown}"), None))
            }
            None => Ok((
                "not needed: the token endpoint is configured".to_owned(),
                None,
            )),
        });
        if !discovered {
            self.skip("assertion", "there is no token endpoint to sign for");
            self.skip("token", "there is no token endpoint");
            return;
        }
        let signed = self.step("assertion", || {
            let Some(assertion) = auth.assertion()? else {
                return Ok(("not needed: a client secret is configured".to_owned(), None));
            };
            let algorithm = assertion.algorithm();
            let detail = format!("{algorithm}, kid {}", assertion.kid());
            let listed = auth
                .configuration()?
                .and_then(|document| document.verifies(algorithm));
            let warning = (listed == Some(false)).then(|| {
                format!("the server does not list {algorithm} among the algorithms it verifies")
            });
            Ok((detail, warning))
        });
        if !signed {
            self.skip("token", "the assertion can't be signed");
            return;
        }
        self.step("token", || auth.request_token().map(|token| told(&token)));
    }

    fn metadata(&mut self, server: &FhirClient, types: &[String]) {
        if self
            .steps
            .iter()
            .any(|step| step.status == StepStatus::Failed)
        {
            self.skip("metadata", "without a token");
            return;
        }
        let started = self.around.clock.now();
        let (status, detail, hint) = match server.capabilities() {
            Ok(statement) => {
                let warning = missing(types, &statement);
                let status = match warning {
                    Some(_) => StepStatus::Warning,
                    None => StepStatus::Ok,
                };
                (status, described(&statement), warning)
            }
            // Authentication worked, so an export may work too.
            Err(error @ fhir_http::Error::Status { .. }) => (
                StepStatus::Warning,
                causes(&error),
                Some(
                    "authentication worked; some servers refuse metadata to backend clients"
                        .to_owned(),
                ),
            ),
            Err(error) => {
                let error = Error::from(error);
                self.fault = self.fault.or(Some(fault(&error)));
                (StepStatus::Failed, causes(&error), error.hint())
            }
        };
        let elapsed_ms = self.since(started);
        self.steps.push(Step {
            name: "metadata",
            status,
            elapsed_ms,
            detail,
            hint,
        });
    }

    /// Whether it went well.
    fn step(
        &mut self,
        name: &'static str,
        run: impl FnOnce() -> smart_auth::Result<Found>,
    ) -> bool {
        let started = self.around.clock.now();
        let result = run();
        let elapsed_ms = self.since(started);
        let (status, detail, hint) = match result {
            Ok((detail, None)) => (StepStatus::Ok, detail, None),
            Ok((detail, warning)) => (StepStatus::Warning, detail, warning),
            Err(error) => {
                let error = Error::from(error);
                self.fault = self.fault.or(Some(fault(&error)));
                (StepStatus::Failed, causes(&error), error.hint())
            }
        };
        self.steps.push(Step {
            name,
            status,
            elapsed_ms,
            detail,
            hint,
        });
        status != StepStatus::Failed
    }

    fn skip(&mut self, name: &'static str, why: &str) {
        self.steps.push(Step {
            name,
            status: StepStatus::Skipped,
            elapsed_ms: 0,
            detail: why.to_owned(),
            hint: None,
        });
    }

    fn since(&self, started: SystemTime) -> u64 {
        let elapsed = self.around.clock.now().duration_since(started);
        u64::try_from(elapsed.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
    }
}

fn fault(error: &Error) -> Fault {
    match error.kind() {
        ErrorKind::Network => Fault::Network,
        ErrorKind::Server => Fault::Server,
        _ => Fault::Authentication,
    }
}

fn told(token: &TokenResponse) -> Found {
    let lifetime = match token.expires_in() {
        Some(lifetime) => format!("valid for {} s", lifetime.as_secs()),
        None => "of unknown life".to_owned(),
    };
    let missing = token.missing();
    let warning = (!missing.is_empty()).then(|| {
        format!(
            "the server did not grant: {}; ask its administrator, or leave them out",
            names(missing)
        )
    });
    (
        format!("{lifetime}, granted: {}", names(token.granted())),
        warning,
    )
}

fn names(scopes: &ScopeSet) -> String {
    scopes.iter().map(Scope::name).collect::<Vec<_>>().join(" ")
}

fn described(statement: &CapabilityStatement) -> String {
    let software = [&statement.software_name, &statement.software_version];
    let software: Vec<_> = software.into_iter().flatten().map(String::as_str).collect();
    let software = if software.is_empty() {
        "unnamed software".to_owned()
    } else {
        software.join(" ")
    };
    format!(
        "{software}, FHIR {}, {} resource types",
        statement
            .fhir_version
            .as_deref()
            .unwrap_or("of unknown version"),
        statement.resources.len()
    )
}

/// What the server says it does not have.
fn missing(types: &[String], statement: &CapabilityStatement) -> Option<String> {
    if let Some(version) = &statement.fhir_version
        && !version.starts_with("4.0")
    {
        return Some(format!(
            "the server has FHIR {version}; this program takes R4 (4.0.1)"
        ));
    }
    let missing: Vec<_> = types
        .iter()
        .filter(|name| statement.resource(name).is_none())
        .map(String::as_str)
        .collect();
    (!missing.is_empty() && !statement.resources.is_empty()).then(|| {
        format!(
            "configured, but not in the server's metadata: {}",
            missing.join(", ")
        )
    })
}
