//! Qualtrics, the generic survey response, mention and review: what each shape becomes.

mod vendors_common;

use throughline_model::SourceKind;
use vendors_common::{check, entries};

fn survey(text: &str, expected: &[&str]) {
    check(&entries(SourceKind::Survey, text), expected);
}

#[test]
fn the_qualtrics_event_has_no_answers_until_it_is_enriched() {
    let event = r#"{"Topic":"x.surveyengine.completedResponse.SV_1","Status":"Complete","SurveyID":"SV_1","ResponseID":"R_1","ResponseEventContext":"",
        "RecipientID":"MLRP_1","DistributionID":"EMD_1","BrandID":"acme","CompletedDate":"2024-05-01 10:00:00"}"#;
    let about = "handle!qualtrics:MLRP_1 survey_id=SV_1 response_id=R_1";
    survey(event, &[&format!("survey.answered survey id=R_1 at=1714557600000 {about}")]);
    let enriched = event.replacen("\"BrandID\"", r#""Scores":[{"instrument":"nps","score":"3"},{"kind":"ces","score":2,"max":5},{"instrument":"open","score":1}],"BrandID""#, 1);
    survey(
        &enriched,
        &[&format!("survey.answered survey id=R_1 at=1714557600000 rev=1714557600000 {about} nps=3/0..10 ces=2/1..5")],
    );
    survey(
        r#"{"result":{"responseId":"R_1","values":{"recordedDate":"2024-05-01T10:01:00Z","endDate":"2024-05-01T10:00:00Z","QID1":9,"QID1_NPS_GROUP":3,"QID2":4}},"meta":{}}"#,
        &["survey.answered survey id=R_1 at=1714557660000 rev=1714557660000 response_id=R_1 nps=9/0..10"],
    );
    survey(
        &event.replacen("Complete\"", "In Progress\"", 1),
        &["withheld filtered x.surveyengine.completedResponse.SV_1"],
    );
    survey(
        r#"{"Topic":"controlpanel.activateSurvey","SurveyID":"SV_1"}"#,
        &["withheld filtered controlpanel.activateSurvey"],
    );
    survey(r#"{"Topic":"x","SurveyID":"SV_1","ResponseID":null}"#, &["rejected missing_field ResponseID"]);
}

#[test]
fn a_response_may_hold_one_question_or_all() {
    survey(
        r#"{"response_id":"r1","question_id":"q2","survey_id":"s","instrument":"CSAT","score":"2","scale_min":1,"scale_max":7,"answered_at":"2024-05-01T10:00:00Z",
            "verbatim":"slow","agent":"a9","store":"st","partner":"p","order_id":"o1","email":"kim@x.example","journey":"delivery"}"#,
        &[
            r#"survey.answered survey id=r1/q2 at=1714557600000 email?kim@x.example visit?src:order:o1 survey_id=s order_id=o1 response_id=r1 staff=a9 store=st partner=p csat=2/1..7 text="slow""#,
        ],
    );
    survey(
        r#"{"responseId":"r1","answers":[{"instrument":"nps","score":9},{"instrument":"ces","score":3,"easy_is_high":false},{"text":"fine"}],"sentiment":0.4,"recipient_email":"kim@x.example","updated_at":"2024-05-01T10:00:00Z"}"#,
        &[
            r#"survey.answered survey id=r1 at=Missing rev=1714557600000 email!kim@x.example response_id=r1 nps=9/0..10 ces=3/1..7 sentiment=0.4/-1..1 labeled text="fine""#,
        ],
    );
    survey(
        r#"{"invitation_id":"i1","survey_id":"s","customer_id":"K1","expired_at":"2024-05-01T10:00:00Z"}"#,
        &["survey.expired survey id=i1 at=1714557600000 customer_id!K1 survey_id=s"],
    );
    survey(r#"{"response_id":null,"score":1}"#, &["rejected missing_field response_id"]);
}

#[test]
fn a_mention_is_published_and_counted() {
    let text = r#"{"platform":"mastodon","post_id":"p1","posted_at":"2024-05-01T10:00:00Z","author":"@kim","followers":"12","text":"great tea","sentiment":0.8,
        "topics":["tea"],"language":"en","likes":3,"metric_at":"2024-05-02T10:00:00Z","url":"https://x.example/p1"}"#;
    check(
        &entries(SourceKind::Social, text),
        &[
            r#"post.published social id=mastodon/p1 at=1714557600000 handle!mastodon:kim post_id=p1 conversation_id=p1 sentiment=0.8/-1..1 lang=en public labeled text="great tea""#,
            r#"post.counted social id=mastodon/p1/1714644000000 at=1714644000000 handle!mastodon:kim post_id=p1 conversation_id=p1 public"#,
        ],
    );
    check(
        &entries(SourceKind::Social, r#"{"platform":"mastodon","post_id":"p1","deleted":true,"public":false}"#),
        &["post.published social remove id=mastodon/p1 at=Missing post_id=p1 conversation_id=p1"],
    );
    check(&entries(SourceKind::Social, r#"{"platform":"mastodon","post_id":""}"#), &["rejected missing_field post_id"]);
}

#[test]
fn a_review_has_stars_on_its_scale_and_a_reply() {
    let text = r#"{"review_id":"v1","platform":"store","rating":"4","scale_max":10,"title":"ok","text":"works","author_id":"u1","product":"TEA","store":"st","order_id":"o1",
        "created_at":"2024-05-01T10:00:00Z","updated_at":"2024-05-02T10:00:00Z","reply":"thanks","reply_at":"2024-05-01T12:00:00Z"}"#;
    let about = "handle!store:u1 visit?src:order:o1 conversation_id=v1 item_id=TEA order_id=o1 store=st";
    check(
        &entries(SourceKind::Social, text),
        &[
            &format!(
                r#"review.submitted review id=v1 at=1714557600000 rev=1714644000000 {about} stars=4/1..10 text="ok\nworks""#
            ),
            &format!("response.sent review id=v1/response.sent at=1714564800000 {about}"),
        ],
    );
}
