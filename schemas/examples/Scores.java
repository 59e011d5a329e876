import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Follows experience.scores: the latest scores of each customer, merges and deletions included.
 *
 * <p>Needs kafka-clients and avro. Arguments: brokers, address of the schema registry, path of the schema.
 */
public final class Scores {
    private final Map<String, GenericRecord> scores = new HashMap<>();
    private final Map<String, String> merged = new HashMap<>();
    private final Map<Integer, Schema> writerSchemas = new HashMap<>();
    private final HttpClient http = HttpClient.newHttpClient();
    private final String registry;
    private final Schema readerSchema;

    private Scores(String registry, Schema readerSchema) {
        this.registry = registry;
        this.readerSchema = readerSchema;
    }

    public static void main(String[] arguments) throws Exception {
        Schema schema = new Schema.Parser().parse(Path.of(arguments[2]).toFile());
        Scores scores = new Scores(arguments[1], schema);
        Properties settings = new Properties();
        settings.put("bootstrap.servers", arguments[0]);
        settings.put("group.id", "scores-example-java");
        // Otherwise scores of aborted transactions are seen.
        settings.put("isolation.level", "read_committed");
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        try (KafkaConsumer<String, byte[]> consumer =
                new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of("experience.scores"));
            while (true) {
                for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                    scores.apply(record.key(), record.value());
                }
            }
        }
    }

    /** One record of the topic; applying it twice changes nothing. */
    private void apply(String customerId, byte[] value) throws Exception {
        if (value == null) { // A tombstone: erased, expired, or consent withdrawn.
            scores.remove(customerId);
            merged.remove(customerId);
            System.out.println(customerId + " deleted");
            return;
        }
        GenericRecord record = decode(value);
        if (record.get("merged_into") != null) { // The last record of an absorbed id.
            scores.remove(customerId);
            merged.put(customerId, record.get("merged_into").toString());
            System.out.println(customerId + " merged into " + currentId(customerId));
            return;
        }
        GenericRecord before = scores.get(customerId);
        if (before == null || (long) before.get("version") < (long) record.get("version")) {
            scores.put(customerId, record);
            System.out.println(customerId + " overall " + record.get("overall"));
        }
    }

    /** The id that survives: follow merged_into until it is absent. */
    private String currentId(String customerId) {
        String id = customerId;
        while (merged.containsKey(id)) {
            id = merged.get(id);
        }
        return id;
    }

    /** Magic byte 0, schema id, Avro datum: written with one version of the schema, read with ours. */
    private GenericRecord decode(byte[] value) throws Exception {
        ByteBuffer header = ByteBuffer.wrap(value);
        if (header.get() != 0) {
            throw new IllegalStateException("the value is not in the Confluent wire format");
        }
        Schema writerSchema = writerSchema(header.getInt());
        GenericDatumReader<GenericRecord> reader = new GenericDatumReader<>(writerSchema, readerSchema);
        return reader.read(null, DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, null));
    }

    private Schema writerSchema(int id) throws Exception {
        Schema known = writerSchemas.get(id);
        if (known == null) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(registry + "/schemas/ids/" + id + "/schema")).build();
            String text = http.send(request, HttpResponse.BodyHandlers.ofString()).body();
            known = new Schema.Parser().parse(text);
            writerSchemas.put(id, known);
        }
        return known;
    }
}
