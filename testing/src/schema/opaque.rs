//! What of a type cannot be seen, so that only samples speak for it.

use std::collections::BTreeMap;

use annals::shape::{Shape, Traced};

/// The places that cannot be seen by their paths from `$`, and why not.
pub(super) fn places(traced: &Traced) -> BTreeMap<String, String> {
    let mut places = in_shape(&traced.shape);
    for (path, why) in &traced.opaque {
        places.insert(path.clone(), format!("it takes no made-up value: {why}"));
    }
    places
}

/// The places that a shape says nothing of.
pub(super) fn in_shape(shape: &Shape) -> BTreeMap<String, String> {
    let mut places = BTreeMap::new();
    collect("$", shape, &mut places);
    places
}

fn collect(path: &str, shape: &Shape, places: &mut BTreeMap<String, String>) {
    let mut see_nothing = |why: &str| drop(places.insert(path.to_owned(), why.to_owned()));
    match shape {
        Shape::Anything => see_nothing("it makes sense of any JSON itself"),
        Shape::Opaque => see_nothing("it refuses before it asks for anything"),
        Shape::Flattened(_) => {
            see_nothing("of what is flattened, only the fields that have to be there are seen");
        }
        _ => {}
    }
    match shape {
        Shape::Nullable(inner) => collect(path, inner, places),
        Shape::Seq(inner) | Shape::Array(inner, _) => collect(&format!("{path}[]"), inner, places),
        Shape::Tuple(inside) => {
            for (at, inner) in inside.iter().enumerate() {
                collect(&format!("{path}[{at}]"), inner, places);
            }
        }
        Shape::Mapping { key, value } => {
            collect(&format!("{path}{{key}}"), key, places);
            collect(&format!("{path}{{}}"), value, places);
        }
        Shape::Struct(fields) | Shape::Flattened(fields) => {
            for (name, field) in fields {
                collect(&format!("{path}.{name}"), &field.shape, places);
            }
        }
        Shape::Enum(variants) | Shape::Tagged { variants, .. } => {
            for (name, variant) in variants {
                collect(&format!("{path}.{name}"), variant, places);
            }
        }
        _ => {}
    }
}

/// A line for each place of a type that cannot be seen.
pub(super) fn notes(whose: &str, places: &BTreeMap<String, String>) -> Vec<String> {
    places.iter().map(|(path, why)| format!("`{path}` of {whose}: {why}")).collect()
}
