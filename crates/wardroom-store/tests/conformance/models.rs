use super::{
    commit,
    sample::{Sample, at},
};
use std::sync::Arc;
use wardroom_core::{
    BudgetId, CustomerId, Door, ModelCallId, RunId, Timestamp, UserId,
    change::Write,
    model::{
        Budget, BudgetPeriod, BudgetScope, BudgetUse, ModelCall, ModelCallEnd, ModelFailureKind,
        ModelWrite, Spend, Spent, SpentBy, SpentFilter, Usage,
    },
    page::PageRequest,
    store::{ModelCallFilter, Store, StoreError},
};
use wardroom_store::testing::{TestStore, postgres, sqlite};

on_both!(
    questions_are_on_record_and_end_once,
    what_is_put_aside_and_taken_counts_in_each_budget,
    a_budget_is_never_passed_however_many_ask_at_once,
    a_question_that_one_budget_refuses_leaves_nothing_behind,
    use_is_put_together_by_what_it_has_in_common,
    budgets_are_changed_and_forgotten,
    what_is_counted_for_a_period_stays_while_it_goes_on,
);

/// The second of 2026-11-23.
fn morning() -> Timestamp {
    "2026-11-23T08:00:00Z".parse().unwrap()
}

fn call(s: &Sample, user: UserId, held: Spend) -> ModelCall {
    ModelCall {
        id: ModelCallId::new(morning(), s),
        user,
        customer: None,
        token: None,
        client: None,
        agent: Some("mast".into()),
        run: None,
        door: Door::Api,
        provider: "near".into(),
        model: "small".into(),
        held,
        prices: "2026-11".into(),
        begun_at: morning(),
        end: None,
    }
}

fn ended(tokens: u64, cost_micros: u64) -> ModelCallEnd {
    ModelCallEnd {
        at: Timestamp::from_micros(morning().as_micros() + 500),
        usage: Usage { input_tokens: tokens, ..Usage::default() },
        cost_micros,
        estimated: false,
        first_micros: Some(100),
        failure: None,
    }
}

fn budget(s: &Sample, by: UserId, scope: BudgetScope, subject: Option<String>) -> Budget {
    Budget {
        id: BudgetId::new(at(0), s),
        about: "for all".into(),
        scope,
        subject,
        period: BudgetPeriod::Day,
        tokens_max: Some(1000),
        cost_micros_max: None,
        alert_percent: Some(80),
        version: 1,
        created_by: by,
        created_at: at(1),
    }
}

fn spend(tokens: u64, cost_micros: u64) -> Spend {
    Spend { tokens, cost_micros }
}

async fn begin(store: &Arc<dyn Store>, call: &ModelCall) -> Result<(), StoreError> {
    commit(store, Write::Model(ModelWrite::Begin(call.clone().into()))).await
}

async fn end(store: &Arc<dyn Store>, call: &ModelCall, end: ModelCallEnd) {
    commit(store, Write::Model(ModelWrite::End { id: call.id, end })).await.unwrap();
}

async fn add(store: &Arc<dyn Store>, budget: &Budget) {
    commit(store, Write::Model(ModelWrite::AddBudget(budget.clone().into()))).await.unwrap();
}

async fn used(store: &Arc<dyn Store>, budget: &Budget) -> Vec<BudgetUse> {
    let period = budget.period.began(morning());
    store.list_budget_use(budget.id, period, 10).await.unwrap()
}

async fn user(store: &Arc<dyn Store>, s: &Sample, name: &str) -> UserId {
    let user = s.user(name);
    commit(store, Write::AddUser(user.clone())).await.unwrap();
    user.id
}

async fn questions_are_on_record_and_end_once(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let ann = user(&store, &s, "ann").await;
    let first = ModelCall { run: Some(RunId::new(at(0), &s)), ..call(&s, ann, spend(10, 20)) };
    let second = ModelCall { provider: "far".into(), agent: None, ..call(&s, ann, spend(1, 2)) };
    begin(&store, &first).await.unwrap();
    begin(&store, &second).await.unwrap();
    assert_eq!(store.lookup_model_call(first.id).await.unwrap().unwrap(), first);
    let failed = ModelCallEnd {
        failure: Some(ModelFailureKind::RateLimited),
        estimated: true,
        first_micros: None,
        ..ended(7, 9)
    };
    end(&store, &first, failed.clone()).await;
    end(&store, &first, ended(1, 1)).await;
    let kept = store.lookup_model_call(first.id).await.unwrap().unwrap();
    assert_eq!(kept.end, Some(failed), "the first end counts");
    let open = store.list_open_model_calls(at(i64::from(i32::MAX)), 10).await.unwrap();
    assert_eq!(open.iter().map(|call| call.id).collect::<Vec<_>>(), [second.id]);
    let all = PageRequest::new(None, 10);
    let list = async |filter: ModelCallFilter| {
        let found = store.list_model_calls(&filter, all).await.unwrap().items;
        found.into_iter().map(|call| call.id).collect::<Vec<_>>()
    };
    let mut both = vec![first.id, second.id];
    both.sort_by_key(|id| std::cmp::Reverse(id.uuid()));
    assert_eq!(list(ModelCallFilter { user: Some(ann), ..ModelCallFilter::default() }).await, both);
    assert_eq!(
        list(ModelCallFilter { run: first.run, ..ModelCallFilter::default() }).await,
        [first.id]
    );
    let far = ModelCallFilter { provider: Some("far".into()), ..ModelCallFilter::default() };
    assert_eq!(list(far).await, [second.id]);
    // By whole milliseconds, as ids tell them.
    let calls = Timestamp::from_micros(morning().as_micros() + 1000);
    let forget = ModelWrite::Forget { calls, periods: calls };
    commit(&store, Write::Model(forget)).await.unwrap();
    assert_eq!(list(ModelCallFilter::default()).await, [second.id], "what has no end stays");
}

async fn what_is_put_aside_and_taken_counts_in_each_budget(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (ann, bob) = (user(&store, &s, "ann").await, user(&store, &s, "bob").await);
    let of = |scope, subject: Option<&str>| budget(&s, ann, scope, subject.map(str::to_owned));
    let all = of(BudgetScope::Everything, None);
    let each = of(BudgetScope::User, None);
    let bobs = budget(&s, ann, BudgetScope::User, Some(bob.to_string()));
    let mast = of(BudgetScope::Agent, Some("mast"));
    let far = of(BudgetScope::Provider, Some("far"));
    let customers = of(BudgetScope::Customer, None);
    for one in [&all, &each, &bobs, &mast, &far, &customers] {
        add(&store, one).await;
    }
    let (anns, other) = (call(&s, ann, spend(100, 50)), call(&s, bob, spend(10, 5)));
    begin(&store, &anns).await.unwrap();
    begin(&store, &other).await.unwrap();
    let customer = CustomerId::new(at(0), &s);
    let for_customer =
        ModelCall { customer: Some(customer), agent: None, ..call(&s, ann, spend(1, 1)) };
    begin(&store, &for_customer).await.unwrap();
    let held = async |budget: &Budget| {
        let used = used(&store, budget).await;
        used.into_iter().map(|one| (one.subject, one.held, one.spent)).collect::<Vec<_>>()
    };
    let none = Spend::default();
    assert_eq!(held(&all).await, [(String::new(), spend(111, 56), none)]);
    assert_eq!(
        held(&each).await,
        [(ann.to_string(), spend(101, 51), none), (bob.to_string(), spend(10, 5), none)]
    );
    assert_eq!(held(&bobs).await, [(bob.to_string(), spend(10, 5), none)]);
    assert_eq!(held(&mast).await, [("mast".to_owned(), spend(110, 55), none)]);
    assert_eq!(held(&far).await, []);
    assert_eq!(held(&customers).await, [(customer.to_string(), spend(1, 1), none)]);
    end(&store, &anns, ended(30, 20)).await;
    end(&store, &anns, ended(30, 20)).await;
    assert_eq!(held(&all).await, [(String::new(), spend(11, 6), spend(30, 20))]);
    assert_eq!(held(&mast).await, [("mast".to_owned(), spend(10, 5), spend(30, 20))]);
    // A budget that is made meanwhile counts what begins from then on.
    let late = of(BudgetScope::Everything, None);
    add(&store, &late).await;
    end(&store, &other, ended(4, 4)).await;
    assert_eq!(held(&late).await, []);
    assert_eq!(held(&all).await, [(String::new(), spend(1, 1), spend(34, 24))]);
}

async fn a_budget_is_never_passed_however_many_ask_at_once(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let ann = user(&store, &s, "ann").await;
    let all = budget(&s, ann, BudgetScope::Everything, None);
    let each = Budget { tokens_max: Some(700), ..budget(&s, ann, BudgetScope::User, None) };
    add(&store, &all).await;
    add(&store, &each).await;
    let asking: Vec<_> = (0..100)
        .map(|_| {
            let (store, call) = (Arc::clone(&store), call(&s, ann, spend(70, 1)));
            tokio::spawn(async move {
                loop {
                    match begin(&store, &call).await {
                        Ok(()) => return Some(call),
                        Err(StoreError::Spent(_)) => return None,
                        // Two got in each other's way.
                        Err(StoreError::Transient(_)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    let mut begun = vec![];
    for one in asking {
        begun.extend(one.await.unwrap());
    }
    assert_eq!(begun.len(), 10, "700 tokens are room for ten");
    assert_eq!(used(&store, &each).await[0].held, spend(700, 10));
    assert_eq!(used(&store, &all).await[0].held, spend(700, 10));
    let more = call(&s, ann, spend(1, 1));
    assert!(matches!(begin(&store, &more).await, Err(StoreError::Spent(id)) if id == each.id));
    end(&store, &begun[0], ended(1, 1)).await;
    begin(&store, &more).await.unwrap();
    let held = used(&store, &each).await[0].clone();
    assert_eq!((held.held, held.told), (spend(631, 10), false));
    let tell = ModelWrite::Tell { budget: each.id, subject: held.subject, period: held.period };
    commit(&store, Write::Model(tell)).await.unwrap();
    assert!(used(&store, &each).await[0].told);
    // Another day.
    let tomorrow: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    let next = ModelCall { begun_at: tomorrow, ..call(&s, ann, spend(700, 1)) };
    begin(&store, &next).await.unwrap();
}

async fn a_question_that_one_budget_refuses_leaves_nothing_behind(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let ann = user(&store, &s, "ann").await;
    let wide = budget(&s, ann, BudgetScope::Everything, None);
    let narrow = Budget {
        tokens_max: None,
        cost_micros_max: Some(5),
        ..budget(&s, ann, BudgetScope::User, None)
    };
    add(&store, &wide).await;
    add(&store, &narrow).await;
    // Many at once share a transaction: what one left half done must not stay for the others.
    let (refused, taken) = (call(&s, ann, spend(1, 6)), call(&s, ann, spend(1, 5)));
    let (first, second) = tokio::join!(begin(&store, &refused), begin(&store, &taken));
    assert!(matches!(first, Err(StoreError::Spent(id)) if id == narrow.id));
    second.unwrap();
    assert_eq!(store.lookup_model_call(refused.id).await.unwrap(), None);
    assert_eq!(used(&store, &wide).await[0].held, spend(1, 5));
}

async fn use_is_put_together_by_what_it_has_in_common(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (ann, bob) = (user(&store, &s, "ann").await, user(&store, &s, "bob").await);
    let anns = call(&s, ann, spend(1, 1));
    let more = ModelCall { model: "large".into(), ..call(&s, ann, spend(1, 1)) };
    let bobs = ModelCall { agent: None, ..call(&s, bob, spend(1, 1)) };
    for one in [&anns, &more, &bobs] {
        begin(&store, one).await.unwrap();
    }
    end(&store, &anns, ended(10, 100)).await;
    let failed = ModelCallEnd {
        failure: Some(ModelFailureKind::Unavailable),
        estimated: true,
        ..ended(5, 300)
    };
    end(&store, &more, failed).await;
    let spent =
        async |by, user| store.model_spent(SpentFilter { by, since: at(0), user }).await.unwrap();
    let by_user = spent(SpentBy::User, None).await;
    let expected = Spent {
        user: Some(ann),
        calls: 2,
        failures: 1,
        estimated: 1,
        usage: Usage { input_tokens: 15, ..Usage::default() },
        cost_micros: 400,
        micros: 1000,
        ..Spent::default()
    };
    assert_eq!(by_user[0], expected);
    assert_eq!((by_user[1].user, by_user[1].calls, by_user[1].running), (Some(bob), 1, 1));
    let by_model = spent(SpentBy::Model, Some(ann)).await;
    let models: Vec<_> = by_model.iter().map(|one| (one.model.as_deref(), one.calls)).collect();
    assert_eq!(models, [(Some("large"), 1), (Some("small"), 1)]);
    let by_day = spent(SpentBy::Day, None).await;
    assert_eq!((by_day.len(), by_day[0].day, by_day[0].calls), (1, Some(morning().day()), 3));
    let by_agent = spent(SpentBy::Agent, None).await;
    assert_eq!((by_agent[0].agent.as_deref(), by_agent[1].agent.as_deref()), (Some("mast"), None));
    assert_eq!(spent(SpentBy::Customer, None).await[0].customer, None);
    let later = SpentFilter {
        by: SpentBy::User,
        since: "2026-12-01T00:00:00Z".parse().unwrap(),
        user: None,
    };
    assert_eq!(store.model_spent(later).await.unwrap(), []);
}

async fn budgets_are_changed_and_forgotten(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let ann = user(&store, &s, "ann").await;
    let first = budget(&s, ann, BudgetScope::Everything, None);
    add(&store, &first).await;
    assert_eq!(store.lookup_budget(first.id).await.unwrap().unwrap(), first);
    let changed = Budget { tokens_max: Some(5), version: 2, about: String::new(), ..first.clone() };
    let update = Write::Model(ModelWrite::UpdateBudget(changed.clone().into()));
    commit(&store, update.clone()).await.unwrap();
    assert!(matches!(commit(&store, update).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.list_budgets().await.unwrap(), [changed.clone()]);
    let held = call(&s, ann, spend(5, 0));
    begin(&store, &held).await.unwrap();
    let remove = |version| Write::Model(ModelWrite::RemoveBudget { id: first.id, version });
    assert!(matches!(commit(&store, remove(1)).await, Err(StoreError::Conflict(_))));
    commit(&store, remove(2)).await.unwrap();
    assert_eq!(store.list_budgets().await.unwrap(), []);
    end(&store, &held, ended(5, 0)).await;
    assert_eq!(used(&store, &changed).await, [], "nothing is counted for it any more");
}

async fn what_is_counted_for_a_period_stays_while_it_goes_on(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let ann = user(&store, &s, "ann").await;
    let all =
        Budget { period: BudgetPeriod::Month, ..budget(&s, ann, BudgetScope::Everything, None) };
    add(&store, &all).await;
    let asked = call(&s, ann, spend(5, 5));
    begin(&store, &asked).await.unwrap();
    end(&store, &asked, ended(5, 5)).await;
    let month = BudgetPeriod::Month.began(morning());
    let forget = |periods| Write::Model(ModelWrite::Forget { calls: morning(), periods });
    commit(&store, forget(month)).await.unwrap();
    assert_eq!(used(&store, &all).await[0].spent, spend(5, 5));
    let tell = ModelWrite::Tell { budget: all.id, subject: String::new(), period: month };
    commit(&store, Write::Model(tell)).await.unwrap();
    let untold = async || store.list_untold_budget_use(all.id, month, 10).await.unwrap().len();
    assert_eq!(untold().await, 0);
    let raised = Budget { version: 2, tokens_max: Some(9), ..all.clone() };
    let update = ModelWrite::UpdateBudget(raised.into());
    commit(&store, Write::Model(update)).await.unwrap();
    assert_eq!(untold().await, 1, "with other bounds somebody is told anew");
    commit(&store, forget("2026-12-01T00:00:00Z".parse().unwrap())).await.unwrap();
    assert_eq!(used(&store, &all).await, []);
}
