/*
 * Apache Kafka's own clients and tools behind the suites' operations: a JSON script on stdin, a JSON list of results
 * on stdout. One JVM runs all of a script, the tools' main methods too. Consumers assign partitions; no group is used.
 */
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class Client implements AutoCloseable {
    static final long TIMEOUT_S = 30;
    static final ObjectMapper JSON = new ObjectMapper();

    private final String bootstrap;
    private final Properties settings = new Properties();
    private final Admin admin;
    /** Producers that stay open over operations; a script ends without closing them, as a crash would. */
    private final Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
    private final Map<String, Boolean> inTransaction = new HashMap<>();

    Client(String bootstrap, JsonNode extra) {
        this.bootstrap = bootstrap;
        settings.put("bootstrap.servers", bootstrap);
        settings.put("client.id", "java");
        extra.fields().forEachRemaining(each -> settings.put(each.getKey(), each.getValue().asText()));
        this.admin = Admin.create(settings);
    }

    public static void main(String[] parameters) throws Exception {
        JsonNode script = JSON.readTree(System.in);
        ArrayNode results = JSON.createArrayNode();
        java.io.PrintStream out = System.out;
        try (Client client = new Client(script.get("bootstrap").asText(), script.path("settings"))) {
            for (JsonNode operation : script.get("operations")) {
                ObjectNode result = results.addObject();
                try {
                    result.set("ok", client.run(operation));
                } catch (Exception error) {
                    result.put("error", nameOf(error)).put("message", String.valueOf(error));
                }
            }
        }
        out.print(JSON.writeValueAsString(results));
        out.flush();
        // A tool may have left a thread behind.
        Runtime.getRuntime().halt(0);
    }

    @Override
    public void close() {
        admin.close(Duration.ofSeconds(5));
    }

    static String nameOf(Throwable error) {
        Throwable cause = error instanceof ExecutionException && error.getCause() != null ? error.getCause() : error;
        return cause instanceof ApiException ? Errors.forException(cause).name() : cause.getClass().getSimpleName();
    }

    private JsonNode run(JsonNode op) throws Exception {
        switch (op.get("op").asText()) {
            case "createTopics": return createTopics(op);
            case "deleteTopics": return deleteTopics(op);
            case "describeTopics": return describeTopics(op);
            case "listTopics": return JSON.valueToTree(get(admin.listTopics().names()));
            case "describeCluster": return describeCluster();
            case "produce": return produce(op);
            case "consume": return consume(op);
            case "listOffsets": return listOffsets(op);
            case "describeConfigs": return describeConfigs(op);
            case "alterConfigs": return alterConfigs(op);
            case "createPartitions": return createPartitions(op);
            case "deleteRecords": return deleteRecords(op);
            case "describeProducers": return describeProducers(op);
            case "describeLogDirs": return describeLogDirs();
            case "listConfigResources": return listConfigResources();
            case "tool": return Tools.run(op);
            case "openProducer": return openProducer(op);
            case "send": return send(op);
            case "endTransaction": return endTransaction(op);
            case "handOver": return handOver(op);
            default: throw new IllegalArgumentException("unknown operation " + op.get("op"));
        }
    }

    static <T> T get(Future<T> future) throws Exception {
        return future.get(TIMEOUT_S, TimeUnit.SECONDS);
    }

    private static ObjectNode outcomes(Map<String, KafkaFuture<Void>> futures) throws Exception {
        ObjectNode outcome = JSON.createObjectNode();
        for (Map.Entry<String, KafkaFuture<Void>> each : futures.entrySet()) {
            outcome.put(each.getKey(), outcomeOf(each.getValue()));
        }
        return outcome;
    }

    private static String outcomeOf(Future<Void> future) throws Exception {
        try {
            get(future);
            return "NONE";
        } catch (ExecutionException error) {
            return nameOf(error);
        }
    }

    private JsonNode createTopics(JsonNode op) throws Exception {
        List<NewTopic> topics = new ArrayList<>();
        for (JsonNode each : op.get("topics")) {
            Map<String, String> configs = new HashMap<>();
            each.path("configs").fields().forEachRemaining(config -> configs.put(config.getKey(), config.getValue().asText()));
            topics.add(new NewTopic(each.get("name").asText(), Optional.of(each.get("partitions").asInt()), Optional.empty()).configs(configs));
        }
        CreateTopicsOptions options = new CreateTopicsOptions().validateOnly(op.path("validateOnly").asBoolean());
        return outcomes(admin.createTopics(topics, options).values());
    }

    private JsonNode deleteTopics(JsonNode op) throws Exception {
        return outcomes(admin.deleteTopics(names(op)).topicNameValues());
    }

    private static List<String> names(JsonNode op) {
        List<String> names = new ArrayList<>();
        op.get("names").forEach(name -> names.add(name.asText()));
        return names;
    }

    private JsonNode describeTopics(JsonNode op) throws Exception {
        ObjectNode described = JSON.createObjectNode();
        for (Map.Entry<String, KafkaFuture<TopicDescription>> each : admin.describeTopics(names(op)).topicNameValues().entrySet()) {
            ObjectNode topic = described.putObject(each.getKey());
            try {
                TopicDescription description = get(each.getValue());
                topic.put("partitions", description.partitions().size());
                ArrayNode leaders = topic.putArray("leaders");
                description.partitions().forEach(partition -> leaders.add(partition.leader().id()));
                topic.put("topicId", description.topicId().toString());
            } catch (ExecutionException error) {
                topic.put("error", nameOf(error));
            }
        }
        return described;
    }

    private JsonNode describeCluster() throws Exception {
        DescribeClusterResult result = admin.describeCluster();
        ObjectNode cluster = JSON.createObjectNode();
        cluster.put("clusterId", get(result.clusterId()));
        cluster.put("controller", get(result.controller()).id());
        ArrayNode brokers = cluster.putArray("brokers");
        for (Node node : get(result.nodes())) {
            brokers.addObject().put("id", node.id()).put("host", node.host()).put("port", node.port());
        }
        return cluster;
    }

    private static ConfigResource resource(JsonNode op) {
        ConfigResource.Type type = op.get("type").asText().equals("topic") ? ConfigResource.Type.TOPIC : ConfigResource.Type.BROKER;
        return new ConfigResource(type, op.get("name").asText());
    }

    private JsonNode describeConfigs(JsonNode op) throws Exception {
        DescribeConfigsOptions options = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        Config config = get(admin.describeConfigs(List.of(resource(op)), options).values().get(resource(op)));
        ObjectNode described = JSON.createObjectNode();
        for (ConfigEntry entry : config.entries()) {
            described.putObject(entry.name()).put("value", entry.value()).put("default", entry.isDefault())
                .put("synonyms", entry.synonyms().size()).put("source", entry.source().name()).put("type", entry.type().name())
                .put("documented", entry.documentation() != null && !entry.documentation().isEmpty());
        }
        return described;
    }

    private JsonNode alterConfigs(JsonNode op) throws Exception {
        Collection<AlterConfigOp> changes = new ArrayList<>();
        op.path("set").fields().forEachRemaining(each ->
            changes.add(new AlterConfigOp(new ConfigEntry(each.getKey(), each.getValue().asText()), AlterConfigOp.OpType.SET)));
        op.path("append").fields().forEachRemaining(each ->
            changes.add(new AlterConfigOp(new ConfigEntry(each.getKey(), each.getValue().asText()), AlterConfigOp.OpType.APPEND)));
        op.path("delete").forEach(name ->
            changes.add(new AlterConfigOp(new ConfigEntry(name.asText(), null), AlterConfigOp.OpType.DELETE)));
        return JSON.valueToTree(outcomeOf(admin.incrementalAlterConfigs(Map.of(resource(op), changes)).all()));
    }

    private JsonNode createPartitions(JsonNode op) throws Exception {
        Map<String, NewPartitions> increase = Map.of(op.get("topic").asText(), NewPartitions.increaseTo(op.get("total").asInt()));
        return JSON.valueToTree(outcomeOf(admin.createPartitions(increase).all()));
    }

    private static TopicPartition partition(JsonNode op) {
        return new TopicPartition(op.get("topic").asText(), op.get("partition").asInt());
    }

    private JsonNode deleteRecords(JsonNode op) throws Exception {
        TopicPartition at = partition(op);
        DeleteRecordsResult result = admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(op.get("before").asLong())));
        return JSON.createObjectNode().put("lowWatermark", get(result.lowWatermarks().get(at)).lowWatermark());
    }

    private JsonNode describeProducers(JsonNode op) throws Exception {
        TopicPartition at = partition(op);
        ArrayNode producers = JSON.createArrayNode();
        for (ProducerState state : get(admin.describeProducers(List.of(at)).partitionResult(at)).activeProducers()) {
            producers.addObject().put("producerId", state.producerId()).put("producerEpoch", state.producerEpoch())
                .put("lastSequence", state.lastSequence())
                .put("transactionStart", state.currentTransactionStartOffset().orElse(-1));
        }
        return producers;
    }

    private JsonNode describeLogDirs() throws Exception {
        ArrayNode directories = JSON.createArrayNode();
        for (Node node : get(admin.describeCluster().nodes())) {
            Map<String, LogDirDescription> all = get(admin.describeLogDirs(List.of(node.id())).descriptions().get(node.id()));
            for (Map.Entry<String, LogDirDescription> each : all.entrySet()) {
                ApiException error = each.getValue().error();
                ObjectNode directory = directories.addObject();
                directory.put("path", each.getKey()).put("error", error == null ? "NONE" : nameOf(error));
                ObjectNode partitions = directory.putObject("partitions");
                each.getValue().replicaInfos().forEach((at, info) -> partitions.put(at.toString(), info.size()));
            }
        }
        return directories;
    }

    private JsonNode listConfigResources() throws Exception {
        ArrayNode names = JSON.createArrayNode();
        for (ConfigResource resource : get(admin.listConfigResources().all())) names.add(resource.type().id() + ":" + resource.name());
        return names;
    }

    private JsonNode listOffsets(JsonNode op) throws Exception {
        JsonNode at = op.get("at");
        OffsetSpec spec = at.isNumber() ? OffsetSpec.forTimestamp(at.asLong())
            : at.asText().equals("earliest") ? OffsetSpec.earliest()
            : at.asText().equals("latest") ? OffsetSpec.latest() : OffsetSpec.maxTimestamp();
        TopicPartition partition = partition(op);
        boolean committed = op.path("isolation").asText().equals("read_committed");
        ListOffsetsOptions options = new ListOffsetsOptions(committed ? IsolationLevel.READ_COMMITTED : IsolationLevel.READ_UNCOMMITTED);
        ListOffsetsResult.ListOffsetsResultInfo found = get(admin.listOffsets(Map.of(partition, spec), options).partitionResult(partition));
        return JSON.createObjectNode().put("offset", found.offset()).put("timestamp", found.timestamp());
    }

    private static byte[] bytes(JsonNode text) {
        return text == null || text.isNull() ? null : Base64.getDecoder().decode(text.asText());
    }

    private static String base64(byte[] bytes) {
        return bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
    }

    private JsonNode produce(JsonNode op) throws Exception {
        Properties properties = new Properties();
        properties.putAll(settings);
        properties.put("acks", op.get("acks").asInt() == -1 ? "all" : op.get("acks").asText());
        properties.put("enable.idempotence", op.path("idempotent").asBoolean());
        properties.put("compression.type", op.get("codec").asText());
        properties.put("linger.ms", 20);
        properties.put("max.request.size", 8_000_000);
        properties.put("delivery.timeout.ms", (int) TIMEOUT_S * 1000);
        properties.put("request.timeout.ms", 10_000);
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            return sendAll(producer, op);
        }
    }

    private static JsonNode sendAll(KafkaProducer<byte[], byte[]> producer, JsonNode op) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of(op.get("file").asText()))) {
            JsonNode each = JSON.readTree(line);
            List<Header> headers = new ArrayList<>();
            each.get("h").forEach(header -> headers.add(new RecordHeader(header.get(0).asText(), bytes(header.get(1)))));
            Long timestamp = each.has("t") ? each.get("t").asLong() : null;
            sent.add(producer.send(new ProducerRecord<>(
                op.get("topic").asText(), each.get("p").asInt(), timestamp, bytes(each.get("k")), bytes(each.get("v")), headers)));
        }
        producer.flush();
        ObjectNode result = JSON.createObjectNode();
        ArrayNode written = result.putArray("written");
        for (Future<RecordMetadata> each : sent) {
            RecordMetadata metadata = get(each);
            written.addArray().add(metadata.partition()).add(metadata.hasOffset() ? metadata.offset() : -1);
        }
        return result;
    }

    private JsonNode openProducer(JsonNode op) {
        Properties properties = new Properties();
        properties.putAll(settings);
        properties.put("compression.type", op.get("codec").asText());
        properties.put("linger.ms", 20);
        properties.put("delivery.timeout.ms", 2 * (int) TIMEOUT_S * 1000);
        properties.put("request.timeout.ms", 10_000);
        String name = op.get("name").asText();
        boolean transactional = op.has("transactionalId");
        if (transactional) properties.put("transactional.id", op.get("transactionalId").asText());
        if (transactional) properties.put("transaction.timeout.ms", 900_000);
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
        if (transactional) {
            producer.initTransactions();
            inTransaction.put(name, false);
        }
        producers.put(name, producer);
        return JSON.valueToTree(name);
    }

    /** Begins a transaction where the producer is transactional and has none open. */
    private JsonNode send(JsonNode op) throws Exception {
        String name = op.get("name").asText();
        if (Boolean.FALSE.equals(inTransaction.get(name))) {
            producers.get(name).beginTransaction();
            inTransaction.put(name, true);
        }
        return sendAll(producers.get(name), op);
    }

    private JsonNode endTransaction(JsonNode op) {
        String name = op.get("name").asText();
        if (op.get("commit").asBoolean()) producers.get(name).commitTransaction();
        else producers.get(name).abortTransaction();
        inTransaction.put(name, false);
        return JSON.valueToTree(name);
    }

    /** Says that all before is done, and waits until somebody else did his part. */
    private JsonNode handOver(JsonNode op) throws Exception {
        Files.createFile(Path.of(op.get("done").asText()));
        Path awaited = Path.of(op.get("await").asText());
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(4 * TIMEOUT_S);
        while (!Files.exists(awaited)) {
            if (System.nanoTime() > deadline) throw new java.util.concurrent.TimeoutException("nobody created " + awaited);
            Thread.sleep(50);
        }
        return JSON.valueToTree("resumed");
    }

    private JsonNode consume(JsonNode op) throws Exception {
        Properties properties = new Properties();
        properties.putAll(settings);
        properties.put("enable.auto.commit", false);
        properties.put("auto.offset.reset", "none");
        properties.put("fetch.max.wait.ms", 50);
        properties.put("isolation.level", op.path("isolation").asText("read_uncommitted"));
        if (op.has("fetchBytes")) properties.put("max.partition.fetch.bytes", op.get("fetchBytes").asInt());
        String topic = op.get("topic").asText();
        Map<Integer, Integer> left = new HashMap<>();
        int missing = 0;
        boolean toEnd = false;
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_S);
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
             BufferedWriter out = Files.newBufferedWriter(Path.of(op.get("file").asText()))) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (JsonNode each : op.get("partitions")) partitions.add(new TopicPartition(topic, each.get("partition").asInt()));
            consumer.assign(partitions);
            for (JsonNode each : op.get("partitions")) {
                TopicPartition at = new TopicPartition(topic, each.get("partition").asInt());
                if (each.get("offset").isNumber()) consumer.seek(at, each.get("offset").asLong());
                else consumer.seekToBeginning(List.of(at));
                if (each.get("count").isNumber()) {
                    left.put(at.partition(), each.get("count").asInt());
                    missing += each.get("count").asInt();
                } else {
                    toEnd = true;
                    left.put(at.partition(), Integer.MAX_VALUE);
                }
            }
            // With read_committed that is the last stable offset.
            Map<TopicPartition, Long> ends = toEnd ? consumer.endOffsets(partitions) : Map.of();
            while (missing > 0 || ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                if (System.nanoTime() > deadline) throw new java.util.concurrent.TimeoutException(missing + " records missing");
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    if (left.merge(record.partition(), -1, Integer::sum) < 0) continue;
                    missing--;
                    out.write(JSON.writeValueAsString(line(record)));
                    out.newLine();
                }
            }
        }
        return JSON.createObjectNode().put("count", 0);
    }

    private static ObjectNode line(ConsumerRecord<byte[], byte[]> record) {
        ObjectNode line = JSON.createObjectNode();
        line.put("p", record.partition()).put("o", record.offset()).put("t", record.timestamp());
        line.put("k", base64(record.key())).put("v", base64(record.value()));
        ArrayNode headers = line.putArray("h");
        for (Header header : record.headers()) headers.addArray().add(header.key()).add(base64(header.value()));
        return line;
    }
}
