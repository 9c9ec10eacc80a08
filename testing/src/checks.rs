//! What every test checks without being asked: that events and states survive a store.

use annals::{Aggregate, EventContext, EventEnum, RecordedEvent, Stored, StreamId};
use serde_json::Value;

use crate::report;
use crate::scenario::json_of;

/// Checks that an event reads back as it was written, and gives what is written.
#[track_caller]
pub(crate) fn event<E: EventEnum>(event: &E) -> String {
    let name = event.event_type();
    let json = match event.encode() {
        Ok(json) => json,
        Err(error) => panic!("event `{name}` cannot be written: {error}"),
    };
    let read = match E::decode(Stored::new(name, event.schema_version(), &json)) {
        Some(Ok(read)) => read,
        Some(Err(error)) => panic!("event `{name}` cannot be read back from {json}: {error}"),
        None => panic!("event `{name}` cannot be read back: its enum does not know the name"),
    };
    let same = event.same_event(&read).unwrap_or(true);
    assert!(
        same && json_of(event) == json_of(&read),
        "event `{name}` reads back as another; a field that serde skips or changes is lost in the store\n\n{}",
        report::diff(&format!("{event:#?}"), &format!("{read:#?}"), "decided", "read back")
    );
    json
}

/// Checks that the state is what a store would give: a fresh fold of the history, and, where it has snapshots, itself
/// after being written and read.
#[track_caller]
pub(crate) fn state<A: Aggregate>(
    stream_id: &StreamId,
    state: Option<&A>,
    id: &A::Id,
    history: &[RecordedEvent],
    story: &[String],
) {
    let folded = fold::<A>(id, history);
    match (state, &folded) {
        (None, None) => {}
        (Some(state), Some(folded)) => {
            assert!(
                same(state, folded),
                "{}\n\nthe state of `{stream_id}` differs from a fresh fold of its stored events: an apply depends on what is not stored{}",
                report::story(story),
                difference(state, folded)
            );
            snapshot(stream_id, state);
        }
        _ => panic!(
            "{}\n\nthe state of `{stream_id}` differs from a fresh fold of its stored events: one of the two does not exist",
            report::story(story)
        ),
    }
}

/// Folds stored events as a repository does.
#[track_caller]
fn fold<A: Aggregate>(id: &A::Id, history: &[RecordedEvent]) -> Option<A> {
    let mut state = None;
    for recorded in history {
        let decoded = A::Event::decode(recorded.stored(recorded.data.as_str()));
        if decoded.is_none() && A::IGNORED.contains(&&*recorded.event_type) {
            continue;
        }
        let Some(Ok(event)) = decoded else {
            panic!("bug in annals-testing: `{}` was readable before", recorded.event_type)
        };
        let cx = EventContext::<A>::new(id.clone(), recorded.clone());
        assert!(
            A::apply(&mut state, &event, &cx).is_ok(),
            "event `{}` fits the state once, but not in a fresh fold",
            recorded.event_type
        );
    }
    state
}

#[track_caller]
fn snapshot<A: Aggregate>(stream_id: &StreamId, state: &A) {
    let Some(written) = state.encode_snapshot() else { return };
    let json = match written {
        Ok(json) => json,
        Err(error) => {
            panic!("the state of `{stream_id}` cannot be written for a snapshot: {error}")
        }
    };
    let read = match A::decode_snapshot(&json) {
        Some(Ok(read)) => read,
        Some(Err(error)) => {
            panic!(
                "the state of `{stream_id}` cannot be read back from its snapshot {json}: {error}"
            )
        }
        None => panic!("the state of `{stream_id}` has snapshots that cannot be read"),
    };
    assert!(
        same(state, &read),
        "the state of `{stream_id}` reads back as another from its snapshot; a field that serde skips or changes is lost{}",
        difference(state, &read)
    );
}

/// Compares by the type's equality where it has one, and by what a snapshot would write.
fn same<A: Aggregate>(one: &A, other: &A) -> bool {
    one.same_state(other).unwrap_or(true) && json(one) == json(other)
}

fn json<A: Aggregate>(state: &A) -> Option<Value> {
    serde_json::from_str(&state.encode_snapshot()?.ok()?).ok()
}

fn difference<A: Aggregate>(one: &A, other: &A) -> String {
    match (json(one), json(other)) {
        (Some(one), Some(other)) if one != other => {
            format!(
                "\n\n{}",
                report::diff(&format!("{one:#}"), &format!("{other:#}"), "state", "read back")
            )
        }
        _ => String::new(),
    }
}
