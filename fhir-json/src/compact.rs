//! Text without white space.

use crate::edits::{Change, Operation};
use crate::emit::{Job, own};
use crate::sink::Sink;
use crate::tape::Node;
use crate::value::Kind;

/// Writes a value, all of it as written but for `operations` and white space.
pub(crate) fn write_compact<S: Sink + ?Sized>(
    job: &Job<'_>,
    index: u32,
    operations: &[Operation],
    out: &mut S,
) {
    let node = &job.nodes[index as usize];
    let is_compact = !job.document.has_white_space() || node.has(Node::CANONICAL);
    if is_compact && operations.iter().all(keeps_neighbours) {
        return splice(job, node, operations, out);
    }
    write_rebuilt(job, index, operations, out);
}

/// Whether only the value itself is changed, but no comma around it.
fn keeps_neighbours(operation: &Operation) -> bool {
    matches!(operation.change, Change::Replace { .. } | Change::Omit)
}

/// Copies everything between replaced values.
fn splice<S: Sink + ?Sized>(job: &Job<'_>, node: &Node, operations: &[Operation], out: &mut S) {
    let document = job.document;
    let text = document.text();
    let mut from = document.start(node);
    for operation in operations {
        let replaced = &job.nodes[operation.node as usize];
        // A value inside a replaced one is gone, and the first change counts.
        if let Change::Replace { start, end } = operation.change
            && document.start(replaced) >= from
        {
            out.write_str(&text[from as usize..document.start(replaced) as usize]);
            out.write(job.edits.bytes(start, end));
            from = document.end(replaced);
        }
    }
    out.write_str(&text[from as usize..document.end(node) as usize]);
}

fn write_rebuilt<S: Sink + ?Sized>(
    job: &Job<'_>,
    index: u32,
    operations: &[Operation],
    out: &mut S,
) {
    if let Some(json) = job.replacement(index, operations) {
        return out.write(json);
    }
    let node = &job.nodes[index as usize];
    let (open, close): (&[u8], &[u8]) = match node.kind {
        Kind::Object => (b"{", b"}"),
        Kind::Array => (b"[", b"]"),
        _ => return out.write(job.document.source(node)),
    };
    out.write(open);
    let mut first = true;
    let mut separate = |out: &mut S| {
        if !std::mem::take(&mut first) {
            out.write(b",");
        }
    };
    for (child, inner) in job.children(index, operations) {
        if is_removed(child, inner) {
            continue;
        }
        separate(out);
        let node = &job.nodes[child as usize];
        if node.name_end != 0 {
            out.write(job.document.around_name(node, 1, 1));
            out.write(b":");
        }
        write_compact(job, child, inner, out);
    }
    for operation in own(operations, index) {
        if let Change::Insert { start, end, .. } = operation.change {
            separate(out);
            out.write(job.edits.bytes(start, end));
        }
    }
    out.write(close);
}

fn is_removed(index: u32, operations: &[Operation]) -> bool {
    own(operations, index)
        .iter()
        .any(|own| matches!(own.change, Change::Remove))
}
