//! The resource types of R4.

use super::table;

/// Index of a concrete R4 resource type, for [`rules`](super::rules).
pub(crate) fn resource_type(name: &str) -> Option<usize> {
    let (index, length) = leading_resource_type(name)?;
    (length == name.len()).then_some(index)
}

/// Index and length of the resource type that is all of the ASCII letters at
/// the beginning of `text`.
// This is asked for every reference, hence the comparison of eight bytes.
pub(crate) fn leading_resource_type(text: &str) -> Option<(usize, usize)> {
    let text = text.as_bytes();
    let letter = text.first()?.checked_sub(b'A')?;
    let &(from, to) = BY_LETTER.get(usize::from(letter))?;
    let word = beginning(text);
    (from..to).find_map(|index| {
        let (own, mask) = BEGINNINGS[index];
        if word & mask != own {
            return None;
        }
        let name = table::RESOURCE_TYPES[index].as_bytes();
        let rest = text.strip_prefix(name)?;
        let ends = !rest.first().is_some_and(u8::is_ascii_alphabetic);
        ends.then_some((index, name.len()))
    })
}

/// The first eight bytes of each resource type, and a mask of those it has.
static BEGINNINGS: [(u64, u64); table::RESOURCE_TYPES.len()] = {
    let mut beginnings = [(0, 0); table::RESOURCE_TYPES.len()];
    let mut index = 0;
    while index < beginnings.len() {
        let name = table::RESOURCE_TYPES[index].as_bytes();
        let lacking = 8_usize.saturating_sub(name.len());
        beginnings[index] = (beginning(name), u64::MAX << (8 * lacking));
        index += 1;
    }
    beginnings
};

/// The first eight bytes of a name, zeros standing for those it lacks.
const fn beginning(name: &[u8]) -> u64 {
    if let Some(chunk) = name.first_chunk() {
        return u64::from_be_bytes(*chunk);
    }
    let mut word = 0;
    let mut at = 0;
    while at < 8 {
        word = word << 8 | if at < name.len() { name[at] as u64 } else { 0 };
        at += 1;
    }
    word
}

/// Where the resource types of each initial letter stand: this is asked for
/// every reference.
static BY_LETTER: [(usize, usize); 26] = by_letter();

const fn by_letter() -> [(usize, usize); 26] {
    let mut ranges = [(0, 0); 26];
    let mut index = 0;
    while index < table::RESOURCE_TYPES.len() {
        let letter = (table::RESOURCE_TYPES[index].as_bytes()[0] - b'A') as usize;
        if ranges[letter].1 == 0 {
            ranges[letter].0 = index;
        }
        index += 1;
        ranges[letter].1 = index;
    }
    ranges
}

/// The resource type of an index from [`resource_type`].
pub(crate) fn type_name(index: usize) -> &'static str {
    table::RESOURCE_TYPES[index]
}
