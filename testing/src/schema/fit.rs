//! Whether all that one shape stands for fits into another, by the shapes alone, and loses nothing there.

use std::collections::BTreeMap;

use annals::shape::{Field, Shape};

/// Whether a type of the shape `after` takes each value of the shape `before` as it is.
pub(super) fn fits(before: &Shape, after: &Shape) -> bool {
    match (before, after) {
        _ if before == after => true,
        (_, Shape::Anything) | (Shape::Char, Shape::Text) => true,
        (Shape::Nullable(before), Shape::Nullable(after))
        | (Shape::Seq(before) | Shape::Array(before, _), Shape::Seq(after)) => fits(before, after),
        (before, Shape::Nullable(after)) => fits(before, after),
        (Shape::Mapping { key, value }, Shape::Mapping { key: to_key, value: to_value }) => {
            fits(key, to_key) && fits(value, to_value)
        }
        (Shape::Tuple(before), Shape::Tuple(after)) => {
            before.len() == after.len()
                && before.iter().zip(after).all(|(before, after)| fits(before, after))
        }
        (Shape::Struct(before) | Shape::Flattened(before), Shape::Struct(after)) => {
            fields_fit(before, after)
        }
        (Shape::Enum(before), Shape::Enum(after)) => variants_fit(before, after),
        (
            Shape::Tagged { tag, content, variants: before },
            Shape::Tagged { tag: to_tag, content: to_content, variants: after },
        ) => tag == to_tag && content == to_content && variants_fit(before, after),
        _ => number_fits(before, after),
    }
}

fn fields_fit(before: &BTreeMap<String, Field>, after: &BTreeMap<String, Field>) -> bool {
    after.iter().all(|(name, after)| {
        let mut names = std::iter::once(name).chain(&after.aliases);
        match names.find_map(|name| before.get(name)) {
            Some(before) => field_fits(before, after),
            None => after.optional,
        }
    })
}

/// Whether a field takes each value of another, and its absence.
pub(super) fn field_fits(before: &Field, after: &Field) -> bool {
    fits(&before.shape, &after.shape) && (after.optional || !before.optional)
}

fn variants_fit(before: &BTreeMap<String, Shape>, after: &BTreeMap<String, Shape>) -> bool {
    before.iter().all(|(name, before)| after.get(name).is_some_and(|after| fits(before, after)))
}

/// Whether a number keeps all its digits.
fn number_fits(before: &Shape, after: &Shape) -> bool {
    let (Some((signed, bits)), after) = (integer(before), after) else {
        return (before, after) == (&Shape::F32, &Shape::F64);
    };
    match after {
        Shape::F32 => bits <= 16,
        Shape::F64 => bits <= 32,
        _ => integer(after).is_some_and(|(to_signed, to_bits)| {
            if signed == to_signed { bits <= to_bits } else { to_signed && bits < to_bits }
        }),
    }
}

/// Whether an integer is signed, and of how many bits it is.
const fn integer(shape: &Shape) -> Option<(bool, u32)> {
    Some(match shape {
        Shape::I8 => (true, 8),
        Shape::I16 => (true, 16),
        Shape::I32 => (true, 32),
        Shape::I64 => (true, 64),
        Shape::I128 => (true, 128),
        Shape::U8 => (false, 8),
        Shape::U16 => (false, 16),
        Shape::U32 => (false, 32),
        Shape::U64 => (false, 64),
        Shape::U128 => (false, 128),
        _ => return None,
    })
}
