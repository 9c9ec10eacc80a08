//! The edges of what a type takes: null, the greatest, the least, nothing. What a later release takes less of shows there.

use serde_json::{Map, Number, Value, json};

use super::Shape;

/// What a sample has wherever it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// Null for each `Option`, as serde writes `None`.
    Null,
    /// The greatest integers, true, and text of more than one letter.
    Greatest,
    /// The least integers, false, the fraction zero, and text without letters.
    Least,
    /// The greatest integers of 128 bits, as text in place of the number.
    GreatestBeyond,
    /// The least integers of 128 bits, as text in place of the number.
    LeastBeyond,
}

/// The edge of a scalar, if it has that one.
///
/// A `Value` holds no integer beyond 64 bits: those of 128 bits are shown as far as that goes, and by [`beyond`].
pub(super) fn scalar(shape: &Shape, edge: Edge) -> Option<Value> {
    let (least, greatest): (i64, u64) = match shape {
        Shape::I8 => (i8::MIN.into(), i8::MAX.unsigned_abs().into()),
        Shape::I16 => (i16::MIN.into(), i16::MAX.unsigned_abs().into()),
        Shape::I32 => (i32::MIN.into(), i32::MAX.unsigned_abs().into()),
        Shape::I64 => (i64::MIN, i64::MAX.unsigned_abs()),
        Shape::U8 => (0, u8::MAX.into()),
        Shape::U16 => (0, u16::MAX.into()),
        Shape::U32 => (0, u32::MAX.into()),
        Shape::U64 | Shape::U128 => (0, u64::MAX),
        Shape::I128 => (i64::MIN, u64::MAX),
        Shape::Bool if edge == Edge::Greatest => return Some(json!(true)),
        Shape::Bool if edge == Edge::Least => return Some(json!(false)),
        Shape::F32 | Shape::F64 if edge == Edge::Least => return Some(json!(0.0)),
        _ => return None,
    };
    match edge {
        Edge::Null | Edge::GreatestBeyond | Edge::LeastBeyond => None,
        Edge::Greatest => Some(json!(greatest)),
        Edge::Least => Some(json!(least)),
    }
}

/// The edge of an integer of 128 bits, as text.
pub(super) fn beyond(shape: &Shape, edge: Edge) -> Option<Value> {
    match (shape, edge) {
        (Shape::U128, Edge::GreatestBeyond) => Some(json!(u128::MAX.to_string())),
        (Shape::I128, Edge::GreatestBeyond) => Some(json!(i128::MAX.to_string())),
        (Shape::I128, Edge::LeastBeyond) => Some(json!(i128::MIN.to_string())),
        (Shape::U128, Edge::LeastBeyond) => Some(json!(0)),
        _ => None,
    }
}

/// JSON text in which the ends of integers of 128 bits, which stood as text, are integers.
pub(super) fn with_integers(json: &str) -> String {
    let ends = [u128::MAX.to_string(), i128::MAX.to_string(), i128::MIN.to_string()];
    ends.iter().fold(json.to_owned(), |json, end| json.replace(&format!("\"{end}\""), end))
}

/// The edge of a text that is one letter because any would do.
pub(super) fn text(text: &Value, edge: Edge) -> Option<Value> {
    let is_letter = text.as_str().is_some_and(|text| text.len() == 1);
    match edge {
        Edge::Greatest if is_letter => Some(json!("two words")),
        Edge::Least if is_letter => Some(json!("")),
        _ => None,
    }
}

/// The edge of what takes any value, by the one that it took: the type it is read as is not known.
pub(super) fn any(taken: &Value, edge: Edge) -> Option<Value> {
    match taken {
        Value::Bool(_) => scalar(&Shape::Bool, edge),
        Value::Number(number) if number.is_f64() => scalar(&Shape::F64, edge),
        Value::Number(_) => scalar(&Shape::I128, edge),
        Value::String(_) => text(taken, edge),
        _ => None,
    }
}

/// Goes from a value that is read as near to the edge as it is read: a type may take less than the scalar that it is
/// written as, a percentage say, and hides the edges of no other place.
pub(super) fn approach(base: &Value, edge: &Value, reads: impl Fn(&Value) -> bool) -> Value {
    let mut reached = base.clone();
    let mut places = Vec::new();
    collect_places(String::new(), base, edge, &mut places);
    for place in places {
        let Some(wanted) = edge.pointer(&place) else { continue };
        for candidate in inwards(wanted) {
            let mut next = reached.clone();
            let Some(value) = next.pointer_mut(&place) else { break };
            *value = candidate;
            if reads(&next) {
                reached = next;
                break;
            }
        }
    }
    reached
}

/// The places where two values differ, as JSON pointers.
fn collect_places(path: String, one: &Value, other: &Value, places: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) if have_equal_keys(one, other) => {
            for (key, value) in one {
                let key_in_pointer = key.replace('~', "~0").replace('/', "~1");
                collect_places(format!("{path}/{key_in_pointer}"), value, &other[key], places);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                collect_places(format!("{path}/{index}"), one, other, places);
            }
        }
        _ if one != other => places.push(path),
        _ => {}
    }
}

fn have_equal_keys(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    one.len() == other.len() && one.keys().all(|key| other.contains_key(key))
}

/// A value, and, of an integer, the edges of the smaller integers.
fn inwards(value: &Value) -> Vec<Value> {
    let (greatest, least) = (
        [i64::MAX.unsigned_abs(), u32::MAX.into(), 0x7fff_ffff, 0xffff, 0x7fff, 0xff, 0x7f],
        [i32::MIN.into(), i16::MIN.into(), i8::MIN.into(), 0_i64],
    );
    let mut values = vec![value.clone()];
    match value.as_number().map(Number::as_u64) {
        Some(Some(from)) => {
            values.extend(greatest.iter().filter(|at| **at < from).map(|at| json!(at)));
        }
        Some(None) => {
            let from = value.as_i64().unwrap_or_default();
            values.extend(least.iter().filter(|at| **at > from).map(|at| json!(at)));
        }
        None => {}
    }
    values
}
