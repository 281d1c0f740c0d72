use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Data, Deletion, Resource, key, timestamp};
use crate::rng::Rng;

impl Data {
    /// The same data at a later instant: of the resources that nothing refers
    /// to, about `percent` of a hundred were updated, as many added and a
    /// third of that deleted, at least one each. Of the others `percent` were
    /// updated.
    ///
    /// The same seed gives the same changes. An update is a tag in `meta`,
    /// which any resource may have, with its `lastUpdated` and `versionId`.
    #[must_use]
    pub fn changed(&self, seed: u64, percent: u8, at: SystemTime) -> Self {
        let at = timestamp(at);
        let mut rng = Rng::new(seed ^ self.rounds.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let round = self.rounds + 1;
        let leaves = self.leaves();
        let mut counts = [0_usize; 3];
        let mut next = Self {
            groups: self.groups.clone(),
            deletions: self.deletions.clone(),
            huge: self.huge,
            rounds: round,
            ..Self::default()
        };
        let hit = |rng: &mut Rng| rng.below(100) < u64::from(percent);
        for resource in self.resources.values().flatten() {
            let reference = key(resource.resource_type(), resource.id());
            let leaf = leaves.contains(&reference);
            // The first leaves make sure that each kind of change is there.
            let first = |count: usize| leaf && count == 0;
            if first(counts[0]) || (leaf && hit(&mut rng) && rng.below(3) == 0) {
                counts[0] += 1;
                let patient = resource.patient.clone();
                next.deletions.push(Deletion {
                    reference,
                    patient,
                    at,
                });
                continue;
            }
            if first(counts[1]) || hit(&mut rng) {
                counts[1] += usize::from(leaf);
                next.push(resource.revised(at, round));
            } else {
                next.push(Resource::clone(resource));
            }
            if first(counts[2]) || (leaf && hit(&mut rng)) {
                counts[2] += 1;
                next.push(resource.copied(&new_id(resource.id(), round), at));
            }
        }
        next
    }

    /// Resources outside of `Patient` that no other one refers to.
    fn leaves(&self) -> BTreeSet<String> {
        let all = || self.resources.values().flatten();
        let referred: BTreeSet<&str> = all()
            .flat_map(|r| &r.references)
            .map(|reference| relative(reference))
            .collect();
        all()
            .filter(|r| !matches!(r.resource_type(), "Patient" | "Group"))
            .map(|r: &Arc<Resource>| key(r.resource_type(), r.id()))
            .filter(|reference| !referred.contains(reference.as_str()))
            .collect()
    }
}

/// `Type/id` of a reference.
pub(super) fn relative(reference: &str) -> &str {
    let bare = reference.split("/_history/").next().unwrap_or(reference);
    let start = bare
        .rmatch_indices('/')
        .nth(1)
        .map_or(0, |(slash, _)| slash + 1);
    &bare[start..]
}

/// FHIR ids have 64 characters at most.
fn new_id(id: &str, round: u64) -> String {
    let suffix = format!("-n{round}");
    let kept: String = id.chars().take(64 - suffix.len()).collect();
    kept + &suffix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lose_base_and_version() {
        let cases = [
            ("Patient/1", "Patient/1"),
            ("http://ehr.example/fhir/Patient/1", "Patient/1"),
            ("Patient/1/_history/2", "Patient/1"),
            ("#contained", "#contained"),
        ];
        for (reference, expected) in cases {
            assert_eq!(relative(reference), expected);
        }
    }
}
