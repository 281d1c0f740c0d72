//! Missing required elements: marked as absent, never guessed.

use std::fmt::Write as _;

use fhir_json::{Edits, Kind, Value};

use crate::rejected::{Reason, Rejected};
use crate::required::{Fill, Rule, Rules};

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
const DATA_ABSENT_REASON: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
const ABSENT: &str = r#"{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}"#;

/// Adds to `edits` what `rules` require of `object` and it lacks, and to
/// `done` what was added. Tells whether nothing is missing, and that from names
/// and kinds of values alone.
pub(crate) fn remediate(
    object: Value<'_>,
    rules: &'static Rules,
    edits: &mut Edits,
    done: &mut Vec<Remediation>,
) -> Result<bool, Rejected> {
    let mut pass = Pass {
        edits,
        done,
        trail: Vec::new(),
        parents: Vec::new(),
        complete: true,
    };
    pass.object(object, rules)?;
    Ok(pass.complete)
}

struct Pass<'e, 'a> {
    edits: &'e mut Edits,
    done: &'e mut Vec<Remediation>,
    /// Elements entered, with the index of those in arrays.
    trail: Vec<(&'static str, Option<usize>)>,
    /// Elements with rules below them, and the position of their own rule: of
    /// the object entered last, after those of the objects around it.
    parents: Vec<(usize, Value<'a>)>,
    /// Nothing was missing, whatever strings and numbers say.
    complete: bool,
}

impl<'a> Pass<'_, 'a> {
    fn object(&mut self, object: Value<'a>, rules: &'static Rules) -> Result<(), Rejected> {
        let base = self.parents.len();
        let mut present = 0_u64;
        for member in object.members() {
            if let Some(rule) = rules.position(member)
                && is_present(&member)
            {
                present |= 1 << rule;
                if rules.parents & 1 << rule != 0 {
                    self.parents.push((rule, member));
                }
            }
        }
        let mut rest = rules.required & !present | rules.parents & present;
        while rest != 0 {
            let at = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            let rule = &rules.all[at];
            let mut parents = self.parents[base..].iter();
            if present & 1 << at == 0 {
                self.fill(object, rule)?;
            } else if let Some(children) = rule.children
                && let Some(&(_, element)) = parents.find(|(parent, _)| *parent == at)
            {
                self.children(element, rule.name, children)?;
            }
        }
        self.parents.truncate(base);
        Ok(())
    }

    fn children(
        &mut self,
        element: Value<'a>,
        name: &'static str,
        rules: &'static Rules,
    ) -> Result<(), Rejected> {
        let array = element.kind() == Kind::Array;
        for (index, object) in element.elements_or_self().enumerate() {
            if object.kind() != Kind::Object || object.is_empty() {
                continue;
            }
            if is_extension_alone(object) {
                self.complete = false;
                if is_marked_absent(object) {
                    continue;
                }
            }
            self.trail.push((name, array.then_some(index)));
            self.object(object, rules)?;
            self.trail.pop();
        }
        Ok(())
    }

    fn fill(&mut self, object: Value<'_>, rule: &'static Rule) -> Result<(), Rejected> {
        self.complete = false;
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
        for member in object.members().filter(|member| rule.is_element(*member)) {
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

/// Whether an object of extensions alone is the mark of a missing element: what
/// it lacks is missing with it, and what was mended once is not mended again.
fn is_marked_absent(object: Value<'_>) -> bool {
    object
        .members()
        .flat_map(Value::elements_or_self)
        .filter_map(|extension| extension.get("url"))
        .any(|url| url.is_str(DATA_ABSENT_REASON))
}

/// Whether the one member of an object is its extensions.
fn is_extension_alone(object: Value<'_>) -> bool {
    let mut members = object.members();
    members
        .next()
        .is_some_and(|member| member.is_named("extension"))
        && members.next().is_none()
}

/// Whether a member is more than a placeholder.
#[inline]
fn is_present(member: &Value<'_>) -> bool {
    !member.is_null() && !member.is_empty()
}
