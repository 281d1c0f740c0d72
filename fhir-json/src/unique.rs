//! Proof that no two members of an object have the same name.

use crate::error::{Error, ErrorKind};
use crate::tape::Node;
use crate::text;

/// Objects with more members than this have their names sorted to find
/// duplicates, since comparing pairs would be quadratic.
pub(crate) const PAIRWISE: u32 = 32;

/// Compares the name `text[start..end]` with others of its object, the members
/// of which begin at node `first`; gives the number of these, [`PAIRWISE`] at
/// most.
#[cold]
#[inline(never)]
pub(crate) fn compare(
    text: &[u8],
    nodes: &[Node],
    first: u32,
    start: u32,
    end: u32,
) -> Result<u32, Error> {
    let bytes = &text[start as usize..end as usize];
    let mut index = first;
    for compared in 0..PAIRWISE {
        let Some(node) = nodes.get(index as usize) else {
            return Ok(compared);
        };
        if &text[node.name_start as usize..node.name_end as usize] == bytes {
            return Err(Error::new(ErrorKind::DuplicateName, start as usize - 1));
        }
        index = node.next;
    }
    Ok(PAIRWISE)
}

/// Finds a duplicate among all names of an object, the last container, by
/// sorting them.
#[cold]
#[inline(never)]
pub(crate) fn compare_all(
    text: &[u8],
    nodes: &[Node],
    object: u32,
    names: &mut Vec<u32>,
) -> Result<(), Error> {
    names.clear();
    let mut index = object + 1;
    while let Some(node) = nodes.get(index as usize) {
        names.push(index);
        index = node.next;
    }
    let unescaped = |index: u32| {
        let node = &nodes[index as usize];
        text::unescape(
            &text[node.name_start as usize..node.name_end as usize],
            node.has(Node::NAME_ESCAPED),
        )
    };
    names.sort_unstable_by(|&a, &b| unescaped(a).cmp(&unescaped(b)).then(a.cmp(&b)));
    let duplicate = names
        .windows(2)
        .filter(|pair| unescaped(pair[0]) == unescaped(pair[1]))
        .map(|pair| nodes[pair[1] as usize].name_start as usize - 1)
        .min();
    duplicate.map_or(Ok(()), |at| Err(Error::new(ErrorKind::DuplicateName, at)))
}
