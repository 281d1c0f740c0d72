//! From settings to the kick-off request.

use fhir_bulk::{ExportRequest, KickOffMethod, ListSyntax, PollPolicy};

use super::plan::Scope;
use crate::config::{ConnectionSettings, ExportLevel, KickOff, TypeList};
use crate::{IdMode, Result};

/// What a run exports, of the settings and of what was asked for instead.
pub(super) fn scope(settings: &ConnectionSettings, level: &ExportLevel) -> Scope {
    Scope {
        base: settings.bulk.base.clone(),
        level: match level {
            ExportLevel::System => "system".to_owned(),
            ExportLevel::Patient => "patient".to_owned(),
            ExportLevel::Group(id) => format!("group:{id}"),
        },
        types: settings.types.iter().cloned().collect(),
        type_filters: settings.type_filters.iter().cloned().collect(),
        source_system: settings.source_system.clone(),
        id_mode: match settings.id_mode {
            IdMode::Preserve => "preserve".to_owned(),
            IdMode::Hash => "hash".to_owned(),
        },
    }
}

/// The request for it.
pub(super) fn request(
    settings: &ConnectionSettings,
    level: &ExportLevel,
    since: Option<&str>,
) -> Result<ExportRequest> {
    let mut request = match level {
        ExportLevel::System => ExportRequest::system(),
        ExportLevel::Patient => ExportRequest::patient(),
        ExportLevel::Group(id) => ExportRequest::group(id),
    };
    request.types.clone_from(&settings.types);
    request.type_filters.clone_from(&settings.type_filters);
    request.since = since.map(str::parse).transpose()?;
    request.method = match settings.bulk.kick_off {
        KickOff::Get => KickOffMethod::Get,
        KickOff::Post => KickOffMethod::Post,
    };
    request.list_syntax = match settings.bulk.type_list {
        TypeList::Comma => ListSyntax::Comma,
        TypeList::Repeat => ListSyntax::Repeated,
    };
    Ok(request)
}

/// How patiently the server is asked whether it is done.
pub(super) fn policy(settings: &ConnectionSettings) -> PollPolicy {
    let bulk = &settings.bulk;
    let mut policy = PollPolicy::default();
    policy.min = bulk.poll_min;
    policy.max = bulk.poll_max;
    policy.deadline = bulk.deadline;
    policy.kick_off_attempts = settings.http.retries.saturating_add(1);
    policy
}
