//! Missing required elements: marked as absent, never guessed.

use std::fmt::Write as _;

use fhir_json::{Edits, Kind, Value};

use crate::rejected::{Reason, Rejected};
use crate::required::{Fill, Rule};

/// A required element that was missing and what marks it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remediation {
    /// The element in FHIRPath, such as `Observation.component[0].code`.
    pub path: String,
    /// `unknown-concept`, `unknown-code` or `data-absent-reason`.
    pub rule: &'static str,
}

const UNKNOWN_CONCEPT: &str = r#"{"coding":[{"code":"unknown","display":"Unknown","system":"http://terminology.hl7.org/CodeSystem/data-absent-reason"}]}"#;
const UNKNOWN_CODE: &str = r#""unknown""#;
const ABSENT: &str = r#"{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}"#;

/// Adds to `edits` what `rules` require of `object` and it lacks, and to
/// `done` what was added.
pub(crate) fn remediate(
    object: Value<'_>,
    rules: &'static [Rule],
    edits: &mut Edits,
    done: &mut Vec<Remediation>,
) -> Result<(), Rejected> {
    Pass {
        edits,
        done,
        trail: Vec::new(),
    }
    .object(object, rules)
}

struct Pass<'e> {
    edits: &'e mut Edits,
    done: &'e mut Vec<Remediation>,
    /// Elements entered, with the index of those in arrays.
    trail: Vec<(&'static str, Option<usize>)>,
}

impl Pass<'_> {
    fn object(&mut self, object: Value<'_>, rules: &'static [Rule]) -> Result<(), Rejected> {
        for rule in rules {
            match find(object, rule) {
                Some(element) => self.children(element, rule)?,
                None => self.fill(object, rule)?,
            }
        }
        Ok(())
    }

    fn children(&mut self, element: Value<'_>, rule: &'static Rule) -> Result<(), Rejected> {
        if rule.children.is_empty() {
            return Ok(());
        }
        let array = element.kind() == Kind::Array;
        for (index, object) in element.elements_or_self().enumerate() {
            if object.kind() == Kind::Object && !object.is_empty() {
                self.trail.push((rule.name, array.then_some(index)));
                self.object(object, rule.children)?;
                self.trail.pop();
            }
        }
        Ok(())
    }

    fn fill(&mut self, object: Value<'_>, rule: &'static Rule) -> Result<(), Rejected> {
        let (json, name) = match rule.fill {
            Fill::Optional => return Ok(()),
            Fill::Reject => {
                let detail = format!("{} is required and absent", rule.path);
                return Err(Rejected::new(Reason::MissingRequiredReference, detail));
            }
            Fill::CodeableConcept => (UNKNOWN_CONCEPT, "unknown-concept"),
            Fill::UnknownCode => (UNKNOWN_CODE, "unknown-code"),
            Fill::Primitive | Fill::Complex => (ABSENT, "data-absent-reason"),
        };
        for member in object.members().filter(|member| stands_for(*member, rule)) {
            self.edits.remove(member);
        }
        let array = format!("[{json}]");
        let json = if rule.many {
            array.as_bytes()
        } else {
            json.as_bytes()
        };
        if rule.fill == Fill::Primitive {
            self.edits
                .insert(object, &format!("_{}", rule.fill_name), json);
        } else {
            self.edits.insert(object, rule.fill_name, json);
        }
        self.done.push(Remediation {
            path: self.path(rule),
            rule: name,
        });
        Ok(())
    }

    /// The path of an element of the object entered last.
    fn path(&self, rule: &Rule) -> String {
        let mut path = rule.path.split('.').next().unwrap_or_default().to_owned();
        for (name, index) in &self.trail {
            path.push('.');
            path.push_str(name);
            if let Some(index) = index {
                // Writing to a String can't fail.
                let _ = write!(path, "[{index}]");
            }
        }
        path.push('.');
        path.push_str(rule.name);
        path
    }
}

/// The member by which an element is present.
fn find<'a>(object: Value<'a>, rule: &Rule) -> Option<Value<'a>> {
    object
        .members()
        .find(|member| stands_for(*member, rule) && !member.is_null() && !member.is_empty())
}

/// Whether a member is the element of a rule, in any of its names.
fn stands_for(member: Value<'_>, rule: &Rule) -> bool {
    if rule.choice.is_empty() {
        let primitive = matches!(rule.fill, Fill::Primitive | Fill::UnknownCode);
        return is(member, rule.name, primitive);
    }
    rule.choice
        .iter()
        .any(|choice| is(member, choice.name, choice.primitive))
}

/// Whether a member is an element of this name, or its `_` half.
#[inline]
fn is(member: Value<'_>, name: &str, primitive: bool) -> bool {
    member.is_named(name) || primitive && member.is_extension_of(name)
}
