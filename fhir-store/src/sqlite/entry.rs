//! What is entered of a new version.

use std::fmt::Write as _;

use crate::{LineDigest, Message, Put, Remediation};

/// What a new version says of itself.
pub(super) struct Entry<'a> {
    pub(super) resource_type: &'a str,
    pub(super) id: &'a str,
    pub(super) source_id: &'a str,
    pub(super) version: i64,
    pub(super) activity: i64,
    pub(super) hash: [u8; 32],
    pub(super) remediations: &'a [Remediation<'a>],
    pub(super) message: Option<Message<'a>>,
    pub(super) line: Option<LineDigest>,
}

impl<'a> Entry<'a> {
    pub(super) fn of(put: &Put<'a>, version: i64, activity: i64) -> Self {
        Self {
            resource_type: put.resource_type,
            id: put.id,
            source_id: put.source_id,
            version,
            activity,
            hash: put.content_hash,
            remediations: put.remediations,
            message: put.message,
            line: put.line,
        }
    }
}

/// `[["path","rule"],…]`, or nothing.
pub(super) fn remediations_json(remediations: &[Remediation<'_>]) -> Option<Box<str>> {
    if remediations.is_empty() {
        return None;
    }
    let mut json = String::from("[");
    for (index, remediation) in remediations.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push('[');
        push_json_string(remediation.path, &mut json);
        json.push(',');
        push_json_string(remediation.rule, &mut json);
        json.push(']');
    }
    json.push(']');
    Some(json.into())
}

fn push_json_string(value: &str, json: &mut String) {
    json.push('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\0'..='\x1f' => {
                // Writing to a string can't fail.
                let _ = write!(json, "\\u{:04x}", u32::from(character));
            }
            _ => json.push(character),
        }
    }
    json.push('"');
}

// Values of `version.activity`.
pub(super) const CREATE: i64 = 0;
pub(super) const UPDATE: i64 = 1;
pub(super) const DELETE: i64 = 2;
