//! Who caused what: one correlation from the first command to the last event.

use std::time::Duration;

use annals::prelude::*;

use crate::scene::{Scene, Store, act, settled};
use crate::script::How;
use crate::works::Works;

/// The event that was worked under a note.
async fn worked(scene: &Scene<impl Store>, note: &str) -> RecordedEvent {
    let log = scene.log().await;
    let named = format!("\"{note}\"");
    let mut found = log
        .into_iter()
        .filter(|event| event.event_type == "Worked" && event.data.as_str().contains(&named));
    found.next().expect("it was worked")
}

async fn what_follows_carries_its_cause_along(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let refused = act().sends("w", "no", How::Work(Works::Refused)).or(act().works("instead"));
    let late = act().works("late");
    let signal = crate::script::Signal {
        signal: scene.name.as_str().into(),
        kind: crate::script::Kind::Begin,
        to: vec!["a".into()],
        note: "1".into(),
        act: refused.at_deadline(late),
    };
    let sent = scene.bus.dispatch(signal).correlation_id("request-7").user("ada");
    let receipt = sent.header("traceparent", "00-trace-1").await.unwrap();
    settled(&engine).await;
    scene.clock.advance(Duration::from_mins(11));
    settled(&engine).await;
    scene.tell("a", "2", act().works("two")).await;
    settled(&engine).await;
    let began = scene.log().await.into_iter().find(|event| event.position == receipt.position);
    let began = began.unwrap();
    let steps = scene.steps("a").await;
    assert_eq!(steps.len(), 4);
    let id = |event: &RecordedEvent| Some(event.id.to_string());
    // The first is of the event, the second of the first, as its refusal, the third of the second, as its deadline.
    let causes = [id(&began), id(&steps[0]), id(&steps[1])];
    for (step, cause) in steps.iter().zip(causes) {
        assert_eq!(step.metadata.correlation_id.as_deref(), Some("request-7"));
        assert_eq!(step.metadata.user.as_deref(), Some("ada"));
        assert_eq!(step.metadata.causation_id, cause);
    }
    assert_eq!(steps[3].metadata.correlation_id.as_deref(), Some("about 2"));
    // A command's cause is the event that the step saw; else the step.
    for (note, correlation, cause) in [
        ("instead", "request-7", id(&steps[1])),
        ("late", "request-7", id(&steps[2])),
        ("two", "about 2", steps[3].metadata.causation_id.clone()),
    ] {
        let worked = worked(&scene, note).await;
        assert_eq!(worked.metadata.correlation_id.as_deref(), Some(correlation), "{note}");
        let is_traced = worked.metadata.headers.contains_key("traceparent");
        assert_eq!(is_traced, correlation == "request-7", "{note}");
        assert_eq!(worked.metadata.command_causation_id, cause, "{note}");
        assert_ne!(worked.metadata.causation_id, cause, "its command is between");
    }
    // Of a command, the instant is that of its step's cause.
    let at = began.recorded_at + Duration::from_mins(10);
    assert_eq!(worked(&scene, "late").await.metadata.issued_at, Some(at));
    engine.shutdown().await.unwrap();
}

crate::on_each_store!(what_follows_carries_its_cause_along);
