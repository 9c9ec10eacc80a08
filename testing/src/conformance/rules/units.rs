//! What a unit of work commits together.

use std::time::Duration;

use annals::read_model::Select;
use annals::{
    Append, CheckpointChange, Deadline, DeadlineChange, Expected, Fence, OutgoingCommand, Position,
    RowChange, Timestamp, UnitOfWork, UnitOfWorkStore, WriteError,
};
use serde_json::{Value, json};

use crate::conformance::broken::{Found, Verdict, ensure, ensure_eq};
use crate::conformance::material::{
    CATEGORY, append, changed, claim, conflict, ensure_invalid, ensure_untouched, event, events_of,
    key_used, log_of, of_several_releases, store_one, stream,
};
use crate::conformance::unit::{
    DUE, OTHERS, ROWS, command, delete, due, ensure_done, ensure_fenced, key, key_of, leased,
    outgoing, reader, row, row_says, selected, unit, upsert,
};

pub(super) async fn a_unit_of_work_is_done_whole<S: UnitOfWorkStore>(store: S) -> Verdict {
    let fence = leased(&store).await?;
    ensure_eq!(store.checkpoint(&fence.id).await?, None, "the checkpoint before the first");
    let receipts = store.commit(unit(&fence, 1)).await?;
    ensure_eq!(receipts.len(), 2, "the receipts of two appends");
    ensure_done(&store, &fence, 1).await?;
    store.commit(unit(&fence, 2)).await?;
    ensure_done(&store, &fence, 2).await
}

pub(super) async fn a_unit_keeps_old_versions_as_they_were<S: UnitOfWorkStore>(
    store: S,
) -> Verdict {
    let (fence, given) = (leased(&store).await?, of_several_releases());
    let mut work = unit(&fence, 1);
    work.appends = vec![Append::new(stream("old"), Expected::NoStream, given.clone())];
    store.commit(work).await?;
    ensure_untouched(&events_of(&store, &stream("old")).await?, &given, "in the stream")?;
    ensure_untouched(&log_of(&store).await?, &given, "in the log")
}

pub(super) async fn a_conflict_undoes_all<S: UnitOfWorkStore>(store: S) -> Verdict {
    let fence = leased(&store).await?;
    store.commit(unit(&fence, 1)).await?;
    for failing in 0..2 {
        let mut work = unit(&fence, 2);
        work.appends[failing].expected = Expected::Exact(9);
        conflict(store.commit(work).await)?;
        ensure_done(&store, &fence, 1).await?;
    }
    let mut work = unit(&fence, 2);
    let known = events_of(&store, &stream("a")).await?[0].id;
    work.appends[1].events.push(changed(event(9), |event| event.id = known));
    ensure_invalid("an event id in use", store.commit(work).await)?;
    ensure_done(&store, &fence, 1).await
}

pub(super) async fn a_key_in_use_undoes_all<S: UnitOfWorkStore>(store: S) -> Verdict {
    let fence = leased(&store).await?;
    store_one(&store, append(&stream("b"), Expected::Any, []).with_key(claim("key"))).await?;
    store.commit(unit(&fence, 1)).await?;
    let mut work = unit(&fence, 2);
    work.appends[1].key = Some(claim("key"));
    key_used(store.commit(work).await, &stream("b"), "key")?;
    ensure_done(&store, &fence, 1).await?;
    ensure_eq!(store.find_key(&stream("b"), "key-2").await?, None, "the key of what was undone");
    Ok(())
}

pub(super) async fn a_stale_lease_undoes_all<S: UnitOfWorkStore>(store: S) -> Verdict {
    let fence = leased(&store).await?;
    store.commit(unit(&fence, 1)).await?;
    let never = Fence { id: reader("never claimed"), epoch: 1 };
    let stale = [0, fence.epoch.saturating_sub(1), fence.epoch + 1, u64::MAX]
        .into_iter()
        .filter(|epoch| *epoch != fence.epoch)
        .map(|epoch| Fence { epoch, ..fence.clone() });
    for stale in stale.chain([never]) {
        ensure_fenced(store.commit(unit(&stale, 2)).await, &stale)?;
        let work = unit(&stale, 2);
        let moved = CheckpointChange { fence: stale.clone(), position: Position::from(2) };
        ensure_fenced(store.write_rows(work.rows, moved).await, &stale)?;
        ensure_done(&store, &fence, 1).await?;
    }
    ensure_eq!(
        store.checkpoint(&reader("never claimed")).await?,
        None,
        "a checkpoint without lease"
    );
    Ok(())
}

pub(super) async fn a_checkpoint_never_moves_back_under_one_epoch<S: UnitOfWorkStore>(
    store: S,
) -> Verdict {
    let fence = leased(&store).await?;
    store.commit(unit(&fence, 1)).await?;
    store.commit(unit(&fence, 2)).await?;
    let moved = |fence: &Fence, position: u64| CheckpointChange {
        fence: fence.clone(),
        position: Position::from(position),
    };
    for to in [0, 1] {
        let mut back = unit(&fence, 3);
        back.checkpoint = Some(moved(&fence, to));
        ensure_moved_back(store.commit(back.clone()).await, 2, to)?;
        ensure_moved_back(store.write_rows(back.rows, moved(&fence, to)).await, 2, to)?;
        ensure_moved_back(store.write_rows(Vec::new(), moved(&fence, to)).await, 2, to)?;
        ensure_done(&store, &fence, 2).await?;
    }
    // Where it stands, it may be kept; and a renewed lease is the same.
    store.write_rows(Vec::new(), moved(&fence, 2)).await?;
    let fence = leased(&store).await?;
    ensure_moved_back(store.write_rows(Vec::new(), moved(&fence, 1)).await, 2, 1)?;
    store.commit(unit(&fence, 3)).await?;
    // Who resets a reader claims its lease anew, and begins anywhere once.
    store.release_lease(&fence).await?;
    let fence = leased(&store).await?;
    store.write_rows(Vec::new(), moved(&fence, 1)).await?;
    ensure_moved_back(store.write_rows(Vec::new(), moved(&fence, 0)).await, 1, 0)?;
    ensure_eq!(store.checkpoint(&fence.id).await?, Some(Position::from(1)), "the checkpoint");
    Ok(())
}

/// Ends the rule unless a move back was refused, with both positions told.
fn ensure_moved_back<T: std::fmt::Debug>(
    answer: Result<T, WriteError>,
    stands: u64,
    back: u64,
) -> Verdict {
    match answer {
        Err(WriteError::MovedBack { position, to, .. })
            if (position.get(), to.get()) == (stands, back) =>
        {
            Ok(())
        }
        other => {
            Err(Found(format!("a move from {stands} back to {back} was answered with {other:?}")))
        }
    }
}

pub(super) async fn a_unit_sent_again_is_not_done_again<S: UnitOfWorkStore>(store: S) -> Verdict {
    let fence = leased(&store).await?;
    let work = unit(&fence, 1);
    let receipts = store.commit(work.clone()).await?;
    store.commit(unit(&fence, 2)).await?;
    store.commit(UnitOfWork::new().answered("command-1")).await?;
    let cancelled = DeadlineChange::Cancel { process: stream("p"), name: "deadline-1".to_owned() };
    store.commit(UnitOfWork::new().deadline(cancelled)).await?;

    ensure_eq!(store.commit(work.clone()).await?, receipts, "the receipts of a unit sent again");
    let (checkpoint, row) = (store.checkpoint(&fence.id).await?, row_says(&store, "shared").await?);
    ensure_eq!(checkpoint, Some(Position::from(2)), "the checkpoint after a unit was sent again");
    ensure_eq!(row, Some(json!(2)), "the row that a later unit has changed");
    ensure_eq!(outgoing(&store).await?, vec!["command-2"], "the commands that wait");
    ensure_eq!(due(&store).await?, vec!["deadline-2"], "the deadlines that are set");

    // Its lease has passed on; that it was done is true all the same.
    store.release_lease(&fence).await?;
    let taken = store.claim_lease(&fence.id, "another", Duration::from_mins(1)).await?;
    ensure!(taken.is_some(), "a released lease cannot be claimed");
    ensure_eq!(store.commit(work).await?, receipts, "the receipts after the lease has passed on");
    Ok(())
}

pub(super) async fn a_unit_of_nothing_is_a_success<S: UnitOfWorkStore>(store: S) -> Verdict {
    ensure_eq!(store.commit(UnitOfWork::new()).await?, Vec::new(), "the receipts of nothing");
    ensure_eq!(store.head().await?, Position::START, "the head");
    Ok(())
}

pub(super) async fn rows_are_kept_by_model_and_key<S: UnitOfWorkStore>(store: S) -> Verdict {
    let fence = leased(&store).await?;
    let keys = ["a", "A", "a ", "b", "ba", "'; --", "%", "\u{e9}", "e\u{301}", "🦀"];
    let mut rows: Vec<RowChange> =
        keys.iter().map(|key| upsert(key, &json!({ "is": key }))).collect();
    rows.push(upsert("gone", &json!(1)));
    rows.push(delete("gone"));
    rows.push(upsert("a", &json!("changed")));
    rows.push(delete("was never there"));
    let other = row("b", &json!("of another model"));
    rows.push(RowChange::Upsert { table: OTHERS, row: other.clone() });
    let moved = CheckpointChange { fence: fence.clone(), position: Position::from(7) };
    store.write_rows(rows, moved).await?;
    ensure_eq!(store.checkpoint(&fence.id).await?, Some(Position::from(7)), "the checkpoint");

    for key in keys {
        let expected = if key == "a" { json!("changed") } else { json!({ "is": key }) };
        ensure_eq!(row_says(&store, key).await?, Some(expected), "the row of key {key:?}");
    }
    ensure_eq!(row_says(&store, "gone").await?, None, "a row that was deleted");
    let asked = ["b", "nobody", "a", "b"].map(key);
    let found = store.rows(&ROWS, &asked, &[]).await?;
    let mut found: Vec<_> = found.iter().map(key_of).collect();
    found.sort_unstable();
    ensure_eq!(found, ["a", "b"], "the rows that have one of the keys, each once");
    let other_row = store.rows(&OTHERS, &asked[..1], &[]).await?;
    ensure_eq!(other_row, [other], "the row of another model");

    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    for limit in [1, 3, keys.len(), 100] {
        let mut paged: Vec<String> = Vec::new();
        let mut select = Select::all(ROWS.table).limit(limit as u64);
        loop {
            let page = selected(&store, &select).await?;
            ensure!(page.len() <= limit, "a page of {} rows, of at most {limit}", page.len());
            let Some(last) = page.last() else { break };
            select = select.after(last);
            paged.extend(page.iter().map(key_of));
        }
        ensure_eq!(paged, sorted, "the keys in pages of {limit}");
    }
    let count = store.count(ROWS.table, ROWS.version, &[]).await?;
    ensure_eq!(count, Some(keys.len() as u64), "how many rows there are");
    Ok(())
}

pub(super) async fn outgoing_commands_wait_until_answered<S: UnitOfWorkStore>(store: S) -> Verdict {
    for number in 1..=5 {
        let twice = UnitOfWork::new().outgoing(command(number)).outgoing(command(1));
        store.commit(twice).await?;
    }
    let keys: Vec<String> = (1..=5).map(|number| format!("command-{number}")).collect();
    ensure_eq!(outgoing(&store).await?, keys, "the commands that wait");
    let two = store.outgoing(CATEGORY, 0, 2).await?;
    ensure_eq!(two.len(), 2, "the first two of the commands that wait");
    let waiting = &two[0].command;
    let said: Value = serde_json::from_str(waiting.data.as_str())?;
    ensure_eq!(said, json!({ "number": 1 }), "what a command says");
    let expected = OutgoingCommand { data: waiting.data.clone(), ..command(1) };
    ensure_eq!(*waiting, expected, "a command that waits");
    let rest = store.outgoing(CATEGORY, two[1].number, 100).await?;
    let rest: Vec<&str> = rest.iter().map(|waiting| &*waiting.command.key).collect();
    ensure_eq!(rest, ["command-3", "command-4", "command-5"], "the commands after the second");
    let others = store.outgoing("another category", 0, 100).await?;
    ensure_eq!(others, [], "the commands of another category");

    let answered =
        UnitOfWork::new().answered("command-1").answered("command-3").answered("unknown");
    store.commit(answered).await?;
    ensure_eq!(outgoing(&store).await?, ["command-2", "command-4", "command-5"], "those left");
    // What answers one command may send the next.
    store.commit(UnitOfWork::new().answered("command-2").outgoing(command(6))).await?;
    ensure_eq!(outgoing(&store).await?, ["command-4", "command-5", "command-6"], "those left");
    Ok(())
}

pub(super) async fn deadlines_are_due_in_order<S: UnitOfWorkStore>(store: S) -> Verdict {
    let micro = Duration::from_micros(1);
    let set = |name: &str, due| {
        DeadlineChange::Set(Deadline { process: stream("p"), name: name.to_owned(), due })
    };
    let work = UnitOfWork::new()
        .deadline(set("late", DUE + micro))
        .deadline(set("on time", DUE))
        .deadline(set("early", DUE - micro))
        .deadline(set("moved", DUE))
        .deadline(set("cancelled", DUE));
    store.commit(work).await?;
    let cancel =
        |name: &str| DeadlineChange::Cancel { process: stream("p"), name: name.to_owned() };
    let work = UnitOfWork::new()
        .deadline(set("moved", DUE + micro + micro))
        .deadline(cancel("cancelled"))
        .deadline(cancel("was never set"));
    store.commit(work).await?;
    ensure_eq!(due(&store).await?, ["early", "on time"], "the deadlines due at an instant");
    let all = store.due_deadlines(CATEGORY, Timestamp::MAX, None, 10).await?;
    let names: Vec<&str> = all.iter().map(|deadline| &*deadline.name).collect();
    ensure_eq!(names, ["early", "on time", "late", "moved"], "all deadlines");
    let instants: Vec<Timestamp> = all.iter().map(|deadline| deadline.due).collect();
    let expected = [DUE - micro, DUE, DUE + micro, DUE + micro + micro];
    ensure_eq!(instants, expected, "the instants at which they are due");
    let first = store.due_deadlines(CATEGORY, Timestamp::MAX, None, 1).await?;
    ensure_eq!(first, all[..1], "the first of all deadlines");
    let rest = store.due_deadlines(CATEGORY, Timestamp::MAX, Some(&all[1]), 10).await?;
    ensure_eq!(rest, all[2..], "the deadlines after the second");
    let others = store.due_deadlines("another category", Timestamp::MAX, None, 10).await?;
    ensure_eq!(others, [], "the deadlines of another category");
    Ok(())
}
