package throughline.peers.flink;

import java.util.List;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import throughline.peers.job.ScoreWriter;

/** Key and value of a score as a record; the client chooses the partition by the key. */
final class ScoreSerializer implements KafkaRecordSerializationSchema<Tuple2<byte[], byte[]>> {
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
}
