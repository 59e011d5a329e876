package throughline.peers.job;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/**
 * Score records as JSON, with the fields of the score topic.
 *
 * <p>Not for several threads at once.
 */
public final class ScoreWriter {
    /** Name of the header that names the encoding, and its value. */
    public static final String CONTENT_TYPE = "content-type";

    private static final byte[] JSON = {
        'a', 'p', 'p', 'l', 'i', 'c', 'a', 't', 'i', 'o', 'n', '/', 'j', 's', 'o', 'n'
    };

    private final JsonFactory json = new JsonFactory();
    private final Decimals decimals = new Decimals();
    private final ByteArrayOutputStream buffer = new ByteArrayOutputStream(1_024);
    private final String tenant;

    /** @param tenant of the deployment */
    public ScoreWriter(String tenant) {
        this.tenant = tenant;
    }

    /** Value of the header that names the encoding. */
    public static byte[] contentType() {
        return JSON;
    }

    /** Value of a score record. */
    public byte[] write(byte[] customer, Score score, long version, long emittedAt) {
        buffer.reset();
        try (JsonGenerator out = json.createGenerator(buffer)) {
            out.writeStartObject();
            out.writeStringField("tenant", tenant);
            out.writeStringField("as_of", Instants.format(score.asOf()));
            out.writeStringField("emitted_at", Instants.format(emittedAt));
            out.writeStringField("model_version", Model.VERSION);
            out.writeBooleanField("mixed", false);
            out.writeStringField("customer_id", CustomerId.text(customer));
            out.writeNumberField("version", version);
            writeNumbers(out, score);
            out.writeEndObject();
        } catch (IOException error) {
            throw new UncheckedIOException("writing to memory cannot fail", error);
        }
        return buffer.toByteArray();
    }

    private void writeNumbers(JsonGenerator out, Score score) throws IOException {
        decimals.write(out, "overall", score.relationship());
        decimals.write(out, "moment", score.moment());
        decimals.write(out, "relationship", score.relationship());
        decimals.write(out, "lifetime", score.lifetime());
        out.writeNumberField("touchpoints", score.touchpoints());
        decimals.write(out, "uncertainty", score.uncertainty());
        decimals.write(out, "coverage", score.coverage());
        writeChannels(out, score);
        writeBaseline(out, score);
        decimals.write(out, "consistency", score.consistency());
        decimals.write(out, "channel_gap", score.channelGap());
        out.writeStringField("churn_model", "none");
        out.writeBooleanField("at_risk", false);
        out.writeObjectFieldStart("evidence_mix");
        decimals.write(out, "survey", score.mix()[Evidence.SURVEY.ordinal()]);
        decimals.write(out, "text", score.mix()[Evidence.TEXT.ordinal()]);
        decimals.write(out, "fact", score.mix()[Evidence.FACT.ordinal()]);
        decimals.write(out, "promise", score.mix()[Evidence.PROMISE.ordinal()]);
        out.writeEndObject();
        writeReasons(out, score);
        decimals.write(out, "other", score.other());
        decimals.write(out, "prior", score.prior());
        decimals.write(out, "observed_share", score.observedShare());
    }

    private static void writeChannels(JsonGenerator out, Score score) throws IOException {
        out.writeArrayFieldStart("channels");
        for (int at = 0; at < score.channels().size(); at++) {
            out.writeStartObject();
            out.writeStringField("channel", score.channels().get(at).code());
            out.writeStringField("last_at", Instants.format(score.channelLastAt()[at]));
            out.writeBooleanField("seen", score.isSeen(at));
            out.writeEndObject();
        }
        out.writeEndArray();
    }

    private void writeBaseline(JsonGenerator out, Score score) throws IOException {
        if (Double.isNaN(score.baselineMean())) {
            return;
        }
        out.writeObjectFieldStart("baseline");
        decimals.write(out, "mean", score.baselineMean());
        decimals.write(out, "sd", score.baselineSpread());
        decimals.write(out, "z", score.baselineZ());
        out.writeNumberField("n", score.touchpoints());
        out.writeEndObject();
    }

    private void writeReasons(JsonGenerator out, Score score) throws IOException {
        out.writeArrayFieldStart("reasons");
        for (int at = 0; at < score.reasons().size(); at++) {
            Entry reason = score.reasons().get(at);
            out.writeStartObject();
            out.writeStringField("touchpoint_id", CustomerId.text(reason.id()));
            decimals.write(out, "contribution", score.contributions()[at]);
            out.writeStringField("code", reason.type().code());
            out.writeEndObject();
        }
        out.writeEndArray();
    }
}
