package throughline.peers.flink;

import java.util.List;
import java.util.Optional;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.connector.kafka.lineage.DefaultKafkaDatasetFacet;
import org.apache.flink.connector.kafka.lineage.DefaultKafkaDatasetIdentifier;
import org.apache.flink.connector.kafka.lineage.KafkaDatasetFacet;
import org.apache.flink.connector.kafka.lineage.KafkaDatasetFacetProvider;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import throughline.peers.job.ScoreWriter;

/**
 * Key and value of a score as a record; the client chooses the partition by the key.
 *
 * <p>It says which topic it writes to, since the sink looks there for transactions of an earlier run.
 */
final class ScoreSerializer implements KafkaRecordSerializationSchema<Tuple2<byte[], byte[]>>, KafkaDatasetFacetProvider {
    private final String topic;

    ScoreSerializer(String topic) {
        this.topic = topic;
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(
            Tuple2<byte[], byte[]> score, KafkaSinkContext context, Long timestamp) {
        List<Header> headers = List.of(new RecordHeader(ScoreWriter.CONTENT_TYPE, ScoreWriter.contentType()));
        return new ProducerRecord<>(topic, null, timestamp, score.f0, score.f1, headers);
    }

    @Override
    public Optional<KafkaDatasetFacet> getKafkaDatasetFacet() {
        return Optional.of(new DefaultKafkaDatasetFacet(DefaultKafkaDatasetIdentifier.ofTopics(List.of(topic))));
    }
}
