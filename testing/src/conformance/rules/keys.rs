//! Idempotency keys: claimed with events, told when they are in use, gone when they have expired.

use std::time::Duration;

use annals::{EventStore, Expected, KeyClaim, KeyEntry, KeyOwner, Receipt, StreamId};

use crate::conformance::broken::{Found, Verdict, ensure, ensure_eq};
use crate::conformance::material::{
    append, claim, claim_for, conflict, ensure_invalid, ensure_log, ensure_numbers, key_used,
    log_of, owned, store_numbers, store_one, stream, without_events,
};
use crate::conformance::race::{ROUNDS, race};

/// Texts that a careless store would take for one another, or for something else than text.
const STRANGE: [&str; 12] = [
    "key",
    "Key",
    "key ",
    " key",
    "k%y",
    "k_y",
    "key'; select pg_sleep(10) --",
    "\"key\"\\",
    "key\nkey",
    "\u{e9}",
    "e\u{301}",
    "🗝",
];

pub(super) async fn a_key_is_stored_with_its_events<S: EventStore>(store: S) -> Verdict {
    let a = stream("a");
    store_numbers(&store, &a, [1]).await?;
    let claim = claim("key");
    let keyed = append(&a, Expected::Exact(1), [2, 3]).with_key(claim.clone());
    let receipt = store_one(&store, keyed).await?;
    ensure_entry(&store, &claim, receipt).await?;
    // The entry keeps the first answer, not the stream's present head.
    let receipt = found(&store, &a, "key").await?.receipt;
    store_numbers(&store, &a, [4]).await?;
    ensure_entry(&store, &claim, receipt).await?;
    ensure_free(&store, &a, "other").await
}

pub(super) async fn a_key_in_use_tells_its_entry<S: EventStore>(store: S) -> Verdict {
    let (a, b) = (stream("a"), stream("b"));
    for (key, owner) in [("caller's", day()), ("process's", KeyOwner::Process)] {
        let claim = owned(key, owner);
        store_one(&store, append(&a, Expected::Any, [1]).with_key(claim.clone())).await?;
        let entry = found(&store, &a, key).await?;
        let before = log_of(&store).await?;
        // The claim comes before what is expected: sent again, a command expects a version that has passed.
        for expected in [Expected::Any, Expected::NoStream, Expected::Exact(77)] {
            let again = append(&a, expected, [2]).with_key(claim.clone());
            let told = key_used(store_one(&store, again).await, &a, key)?;
            ensure_eq!(told, entry, "the entry of the key in use");
        }
        let empty = append(&a, Expected::Any, []).with_key(claim.clone());
        key_used(store_one(&store, empty).await, &a, key)?;
        let call = vec![
            append(&b, Expected::Any, [1]),
            append(&a, Expected::Any, [2]).with_key(claim.clone()),
        ];
        key_used(store.append(call).await, &a, key)?;
        ensure_log(format_args!("the log after key `{key}` was in use"), &store, &before).await?;
    }
    Ok(())
}

pub(super) async fn a_failed_append_claims_no_key<S: EventStore>(store: S) -> Verdict {
    let (a, b) = (stream("a"), stream("b"));
    let stale = append(&a, Expected::Exact(1), [1]).with_key(claim("key"));
    conflict(store_one(&store, stale).await)?;
    let call = vec![
        append(&a, Expected::Any, [1]).with_key(claim("key")),
        append(&b, Expected::Exact(1), [1]).with_key(claim("key")),
    ];
    conflict(store.append(call).await)?;
    ensure_free(&store, &a, "key").await?;
    ensure_free(&store, &b, "key").await?;
    store_one(&store, append(&a, Expected::NoStream, [1]).with_key(claim("key"))).await?;
    ensure_numbers(&store, &a, [1]).await
}

pub(super) async fn a_key_belongs_to_its_stream<S: EventStore>(store: S) -> Verdict {
    let (a, b) = (stream("a"), stream("b"));
    let of_a = store_one(&store, append(&a, Expected::Any, [1]).with_key(claim("key"))).await?;
    ensure_free(&store, &b, "key").await?;
    let of_b = store_one(&store, append(&b, Expected::Any, [2]).with_key(claim("key"))).await?;
    ensure_entry(&store, &claim("key"), of_a).await?;
    ensure_entry(&store, &claim("key"), of_b).await
}

pub(super) async fn a_key_is_kept_without_events<S: EventStore>(store: S) -> Verdict {
    let (a, virgin) = (stream("a"), stream("virgin"));
    let last = store_numbers(&store, &a, [1]).await?;
    let before = log_of(&store).await?;
    for stream in [&a, &virgin] {
        let receipt =
            store_one(&store, append(stream, Expected::Any, []).with_key(claim("key"))).await?;
        ensure_eq!(receipt.events, 0, "the events in the receipt of none");
        ensure_entry(&store, &claim("key"), receipt).await?;
        let again = append(stream, Expected::Any, [9]).with_key(claim("key"));
        key_used(store_one(&store, again).await, stream, "key")?;
    }
    let kept = found(&store, &a, "key").await?.receipt;
    ensure_eq!(kept, without_events(last), "the receipt that was kept with the key");
    ensure_log("the log", &store, &before).await?;
    Ok(())
}

pub(super) async fn keys_are_told_apart_byte_by_byte<S: EventStore>(store: S) -> Verdict {
    let a = stream("a");
    let longest = "k".repeat(1024);
    let mut receipts = Vec::new();
    for key in STRANGE.into_iter().chain([&*longest]) {
        ensure_free(&store, &a, key).await?;
        let keyed = append(&a, Expected::Any, [1]).with_key(claim(key));
        receipts.push((key, store_one(&store, keyed).await?));
    }
    for (key, receipt) in receipts {
        ensure_entry(&store, &claim(key), receipt).await?;
    }
    Ok(())
}

pub(super) async fn keys_that_cannot_be_kept_are_refused<S: EventStore>(store: S) -> Verdict {
    let (a, b) = (stream("a"), stream("b"));
    let over_long = "k".repeat(1025);
    for (what, key) in
        [("an empty key", ""), ("a null character", "k\0y"), ("an over-long key", &*over_long)]
    {
        let keyed = append(&a, Expected::Any, [1]).with_key(claim(key));
        let call = vec![append(&b, Expected::Any, [1]), keyed];
        ensure_invalid(what, store.append(call).await)?;
    }
    ensure_log("the log", &store, &[]).await?;
    Ok(())
}

pub(super) async fn a_key_claimed_twice_in_a_call_is_refused<S: EventStore>(store: S) -> Verdict {
    let a = stream("a");
    let call = [1, 2].map(|number| append(&a, Expected::Any, [number]).with_key(claim("key")));
    ensure_invalid("one key twice", store.append(call.into()).await)?;
    ensure_free(&store, &a, "key").await?;
    ensure_numbers(&store, &a, []).await
}

pub(super) async fn an_expired_key_is_none<S: EventStore>(store: S) -> Verdict {
    let a = stream("a");
    for number in 1..=3 {
        let claim = claim_for("key", Duration::ZERO);
        store_one(&store, append(&a, Expected::Any, [number]).with_key(claim)).await?;
        ensure_free(&store, &a, "key").await?;
    }
    // Claimed anew, it is kept for the time of the new claim, whatever a purge removes of the old.
    let receipt = store_one(&store, append(&a, Expected::Any, [4]).with_key(claim("key"))).await?;
    store.purge_keys().await?;
    ensure_entry(&store, &claim("key"), receipt).await?;
    ensure_numbers(&store, &a, 1..=4).await
}

pub(super) async fn a_key_may_be_kept_for_the_longest_lifetime<S: EventStore>(store: S) -> Verdict {
    let a = stream("a");
    let claim = claim_for("key", Duration::MAX);
    let receipt = store_one(&store, append(&a, Expected::Any, [1]).with_key(claim.clone())).await?;
    store.purge_keys().await?;
    ensure_entry(&store, &claim, receipt).await
}

pub(super) async fn a_purge_removes_only_what_has_expired<S: EventStore>(store: S) -> Verdict {
    let a = stream("a");
    let kept = [claim("day"), owned("process's", KeyOwner::Process)];
    let mut receipts = Vec::new();
    for claim in &kept {
        let keyed = append(&a, Expected::Any, [1]).with_key(claim.clone());
        receipts.push(store_one(&store, keyed).await?);
    }
    for number in 0..20 {
        let claim = claim_for(&format!("expired-{number}"), Duration::ZERO);
        store_one(&store, append(&a, Expected::Any, []).with_key(claim)).await?;
    }
    let removed = store.purge_keys().await?;
    ensure!(removed <= 20, "{removed} keys were removed, of 20 that had expired");
    ensure_eq!(store.purge_keys().await?, 0, "the keys that a second purge removed");
    for (claim, receipt) in kept.iter().zip(receipts) {
        ensure_entry(&store, claim, receipt).await?;
    }
    Ok(())
}

pub(super) async fn a_raced_key_is_claimed_once<S: EventStore + Clone>(store: S) -> Verdict {
    const TASKS: u64 = 16;
    for round in 0..ROUNDS {
        let (a, key) = (stream(&format!("a-{round}")), format!("key-{round}"));
        let claimers = (0..TASKS).map(|task| {
            let store = store.clone();
            // Every other one brings no events: the key alone has to hold it back.
            let numbers = (task % 2 == 0).then_some(task);
            let keyed = append(&a, Expected::Any, numbers).with_key(claim(&key));
            async move { store_one(&store, keyed).await }
        });
        let mut receipts = Vec::new();
        let mut told = Vec::new();
        for answer in race(claimers).await? {
            match answer {
                Ok(receipt) => receipts.push(receipt),
                refused => told.push(key_used(refused, &a, &key)?),
            }
        }
        ensure_eq!(receipts.len(), 1, "the appends of {TASKS} that claimed one key");
        for entry in told {
            ensure_eq!(entry.receipt, receipts[0], "the receipt told to one who came later");
        }
        let stored = store.stream_head(&a).await?.version;
        ensure_eq!(stored, receipts[0].events, "the events stored under one key");
    }
    Ok(())
}

fn day() -> KeyOwner {
    KeyOwner::Caller { lifetime: Duration::from_hours(24) }
}

async fn found(
    store: &impl EventStore,
    stream_id: &StreamId,
    key: &str,
) -> Result<KeyEntry, Found> {
    let entry = store.find_key(stream_id, key).await?;
    entry.ok_or_else(|| Found(format!("key {key:?} of `{stream_id}` is not there")))
}

/// Ends the rule unless the key is in use by this claim, with this receipt.
async fn ensure_entry(store: &impl EventStore, claim: &KeyClaim, receipt: Receipt) -> Verdict {
    let (key, stream_id) = (&claim.key, receipt.stream_id.clone());
    let expected = KeyEntry::new(claim.command.clone(), claim.content, receipt);
    ensure_eq!(found(store, &stream_id, key).await?, expected, "key {key:?} of `{stream_id}`");
    Ok(())
}

/// Ends the rule if the key is in use.
async fn ensure_free(store: &impl EventStore, stream_id: &StreamId, key: &str) -> Verdict {
    let entry = store.find_key(stream_id, key).await?;
    ensure!(entry.is_none(), "key {key:?} of `{stream_id}` is in use: {entry:?}");
    Ok(())
}
