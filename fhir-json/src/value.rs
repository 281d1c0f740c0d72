//! Reading: values, members and elements.

use std::borrow::Cow;
use std::ops::Range;

use crate::document::Document;
use crate::names;
use crate::scan;
use crate::tape::Node;
use crate::text;
use crate::walk::{Children, Descendants, DescendantsNamed};

/// The six kinds of JSON values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number, whose digits are kept as written.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// One value of a [`Document`]. Copies are cheap.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    document: Document<'a>,
    index: u32,
}

impl<'a> Value<'a> {
    #[inline]
    pub(crate) const fn new(document: Document<'a>, index: u32) -> Self {
        Self { document, index }
    }

    #[inline]
    pub(crate) fn node(self) -> &'a Node {
        &self.document.nodes()[self.index as usize]
    }

    /// The number of the value among all of the document, in text order. In
    /// documents of the same [shape](Document::shape) it means the same value.
    #[must_use]
    #[inline]
    pub const fn position(self) -> u32 {
        self.index
    }

    /// The document that this value is part of.
    #[must_use]
    pub const fn document(self) -> Document<'a> {
        self.document
    }

    /// What kind of value this is.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.node().kind
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// Whether this is an array or object that holds nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        matches!(self.kind(), Kind::Array | Kind::Object) && self.node().next == self.index + 1
    }

    /// Where the value stands in the text, quotes and brackets included.
    #[must_use]
    pub fn span(self) -> Range<usize> {
        let (node, document) = (self.node(), self.document);
        document.start(node) as usize..document.end(node) as usize
    }

    /// The value as written: a number's own digits, a string with its quotes
    /// and escapes.
    #[must_use]
    pub fn raw(self) -> &'a str {
        &self.document.text()[self.span()]
    }

    /// A string's text, escapes resolved; it is borrowed where there are none.
    #[must_use]
    #[inline]
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let node = self.node();
        if node.kind != Kind::String {
            return None;
        }
        let span = self.span();
        let inner = &self.document.text()[span.start + 1..span.end - 1];
        if !node.has(Node::ESCAPED) {
            return Some(Cow::Borrowed(inner));
        }
        Some(unescaped(inner))
    }

    /// Whether this is a string with exactly this text.
    #[must_use]
    pub fn is_str(self, text: &str) -> bool {
        self.as_str().is_some_and(|own| own == text)
    }

    /// A number's digits as written.
    #[must_use]
    pub fn as_number(self) -> Option<&'a str> {
        (self.kind() == Kind::Number).then(|| self.raw())
    }

    /// A boolean.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.raw() == "true")
    }

    /// The name of the member that has this value; `None` for array elements
    /// and the root.
    #[must_use]
    #[inline]
    pub fn name(self) -> Option<Cow<'a, str>> {
        let node = self.node();
        if node.name_end == 0 {
            return None;
        }
        let start = self.document.name_start(node) as usize;
        let length = (node.name_end - node.name_start) as usize;
        let source = &self.document.text()[start..start + length];
        if !node.has(Node::NAME_ESCAPED) {
            return Some(Cow::Borrowed(source));
        }
        Some(unescaped(source))
    }

    /// Whether this is the value of a member of exactly this name.
    // Inlined so that a literal name is compared without a call: this is asked
    // of every value when references are looked for.
    #[must_use]
    #[inline(always)]
    pub fn is_named(self, name: &str) -> bool {
        let node = self.node();
        if node.has(Node::NAME_ESCAPED) {
            return self.is_named_escaped(name);
        }
        let (start, end) = (node.name_start, node.name_end);
        let length = name.len() as u32;
        end - start == length
            && node.name_prefix == scan::prefix(name.as_bytes(), 0, length)
            && end != 0
            && (length <= 8 || self.document.around_name(node, 0, 0) == name.as_bytes())
    }

    /// Whether this is the value of the member `_name`, where FHIR JSON keeps
    /// the id and the extensions of the primitive element `name`.
    #[must_use]
    #[inline]
    pub fn is_extension_of(self, name: &str) -> bool {
        let node = self.node();
        if node.has(Node::NAME_ESCAPED) {
            return self
                .name()
                .is_some_and(|own| own.strip_prefix('_') == Some(name));
        }
        (node.name_end - node.name_start) as usize == name.len() + 1
            && node.name_end != 0
            && self
                .name_source()
                .strip_prefix(b"_")
                .is_some_and(|own| own == name.as_bytes())
    }

    /// The [`name_hash`](crate::name_hash) of the member name; `None` where
    /// the name has an escape.
    #[must_use]
    #[inline]
    pub fn name_hash(self) -> Option<u8> {
        let node = self.node();
        (!node.has(Node::NAME_ESCAPED)).then(|| names::hash(node.name_prefix))
    }

    /// The member name as written, without its quotes; empty for elements and
    /// the root.
    #[must_use]
    #[inline]
    pub fn name_source(self) -> &'a [u8] {
        let node = self.node();
        if node.name_end == 0 {
            return &[];
        }
        self.document.around_name(node, 0, 0)
    }

    #[cold]
    fn is_named_escaped(self, name: &str) -> bool {
        self.name().is_some_and(|own| own == name)
    }

    /// The value of an object's member; `None` where there is none, and for
    /// every other kind.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Self> {
        self.members().find(|member| member.is_named(name))
    }

    /// An object's members in text order, as values that know their
    /// [`name`](Self::name); nothing for every other kind.
    #[must_use]
    pub fn members(self) -> Children<'a> {
        self.children_if(Kind::Object)
    }

    /// An array's elements; nothing for every other kind.
    #[must_use]
    pub fn elements(self) -> Children<'a> {
        self.children_if(Kind::Array)
    }

    /// An array's elements, or the value itself where it is no array.
    ///
    /// FHIR servers are known to send one object where an array is due.
    #[must_use]
    pub fn elements_or_self(self) -> Children<'a> {
        if self.kind() == Kind::Array {
            return self.elements();
        }
        Children::new(self.document, self.index, self.node().next)
    }

    /// This value and everything inside it, in text order.
    #[must_use]
    pub fn descendants(self) -> Descendants<'a> {
        Descendants::new(self)
    }

    /// This value and everything inside it that is the value of a member with
    /// one of these names, in text order.
    #[must_use]
    pub fn descendants_named<const N: usize>(
        self,
        names: [&str; N],
    ) -> DescendantsNamed<'a, '_, N> {
        DescendantsNamed::new(self, names)
    }

    /// The value at a JSON Pointer (RFC 6901), such as `/identifier/0/value`.
    #[must_use]
    pub fn pointer(self, pointer: &str) -> Option<Self> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer
            .strip_prefix('/')?
            .split('/')
            .try_fold(self, |value, token| match value.kind() {
                Kind::Array => {
                    let plain = token == "0" || !token.starts_with('0') && !token.starts_with('+');
                    value.elements().nth(token.parse().ok().filter(|_| plain)?)
                }
                _ if token.contains('~') => value.get(&token.replace("~1", "/").replace("~0", "~")),
                _ => value.get(token),
            })
    }

    fn children_if(self, kind: Kind) -> Children<'a> {
        let end = if self.kind() == kind {
            self.node().next
        } else {
            self.index + 1
        };
        Children::new(self.document, self.index + 1, end)
    }
}

#[cold]
fn unescaped(source: &str) -> Cow<'_, str> {
    let text = text::unescape(source.as_bytes(), true).into_owned();
    // Escapes of validated text resolve to characters, so this can't fail.
    Cow::Owned(String::from_utf8(text).unwrap_or_default())
}
