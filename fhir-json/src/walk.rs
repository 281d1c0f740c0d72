//! Walking over values.

use std::slice;

use crate::document::Document;
use crate::names;
use crate::tape::Node;
use crate::value::Value;

/// Members of an object or elements of an array.
#[derive(Clone, Debug)]
pub struct Children<'a> {
    document: Document<'a>,
    index: u32,
    end: u32,
}

impl<'a> Children<'a> {
    /// The siblings from node `index` on, up to node `end`.
    pub(crate) const fn new(document: Document<'a>, index: u32, end: u32) -> Self {
        Self {
            document,
            index,
            end,
        }
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Value<'a>> {
        if self.index >= self.end {
            return None;
        }
        let value = Value::new(self.document, self.index);
        self.index = value.node().next;
        Some(value)
    }
}

/// A value and everything inside it.
#[derive(Clone, Debug)]
pub struct Descendants<'a> {
    document: Document<'a>,
    index: u32,
    end: u32,
}

impl<'a> Descendants<'a> {
    pub(crate) fn new(value: Value<'a>) -> Self {
        Self {
            document: value.document(),
            index: value.position(),
            end: value.node().next,
        }
    }
}

impl<'a> Iterator for Descendants<'a> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Value<'a>> {
        if self.index >= self.end {
            return None;
        }
        let value = Value::new(self.document, self.index);
        self.index += 1;
        Some(value)
    }
}

/// A value and everything inside it, as far as they are values of members
/// with one of `N` names.
#[derive(Clone, Debug)]
pub struct DescendantsNamed<'a, 'n, const N: usize> {
    document: Document<'a>,
    rest: slice::Iter<'a, Node>,
    /// Of the first node of `rest`.
    index: u32,
    names: [&'n str; N],
    prefixes: [u64; N],
}

impl<'a, 'n, const N: usize> DescendantsNamed<'a, 'n, N> {
    #[inline]
    pub(crate) fn new(value: Value<'a>, names: [&'n str; N]) -> Self {
        let document = value.document();
        let inside = value.position() as usize..value.node().next as usize;
        Self {
            document,
            rest: document.nodes()[inside].iter(),
            index: value.position(),
            names,
            prefixes: names.map(|name| names::prefix(0, name.as_bytes())),
        }
    }
}

impl<'a, const N: usize> Iterator for DescendantsNamed<'a, '_, N> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Value<'a>> {
        loop {
            let node = self.rest.next()?;
            let value = Value::new(self.document, self.index);
            self.index += 1;
            // Beginnings tell nearly all names apart.
            if (self.prefixes.contains(&node.name_prefix) || node.has(Node::NAME_ESCAPED))
                && self.names.iter().any(|name| value.is_named(name))
            {
                return Some(value);
            }
        }
    }

    // One loop, without a state that is kept between values.
    #[inline]
    fn fold<B, F: FnMut(B, Value<'a>) -> B>(self, init: B, mut visit: F) -> B {
        let mut all = init;
        for (index, node) in (self.index..).zip(self.rest) {
            if self.prefixes.contains(&node.name_prefix) || node.has(Node::NAME_ESCAPED) {
                let value = Value::new(self.document, index);
                if self.names.iter().any(|name| value.is_named(name)) {
                    all = visit(all, value);
                }
            }
        }
        all
    }
}
