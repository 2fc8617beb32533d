// franz-go behind the suites' operations: a JSON script on stdin, a JSON list of results on stdout.
//
// Records travel in files of JSON lines (see harness/records.ts). Consumers take partitions directly; no group is used.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const timeout = 30 * time.Second

type record struct {
	Partition int32    `json:"p"`
	Offset    int64    `json:"o"`
	Timestamp *int64   `json:"t,omitempty"`
	Key       *[]byte  `json:"k"`
	Value     *[]byte  `json:"v"`
	Headers   [][2]any `json:"h"`
}

type topic struct {
	Name       string             `json:"name"`
	Partitions int32              `json:"partitions"`
	Configs    map[string]*string `json:"configs"`
}

type position struct {
	Partition int32 `json:"partition"`
	Offset    any   `json:"offset"`
	Count     int   `json:"count"`
}

type operation struct {
	Op           string             `json:"op"`
	Topics       []topic            `json:"topics"`
	ValidateOnly bool               `json:"validateOnly"`
	Names        []string           `json:"names"`
	Topic        string             `json:"topic"`
	File         string             `json:"file"`
	Codec        string             `json:"codec"`
	Acks         int                `json:"acks"`
	Idempotent   bool               `json:"idempotent"`
	Partitions   []position         `json:"partitions"`
	Isolation    string             `json:"isolation"`
	FetchBytes   int32              `json:"fetchBytes"`
	Partition    int32              `json:"partition"`
	At           any                `json:"at"`
	Type         string             `json:"type"`
	Name         string             `json:"name"`
	Set          map[string]*string `json:"set"`
	Delete       []string           `json:"delete"`
	Total        int                `json:"total"`
	Before       int64              `json:"before"`
}

type script struct {
	Bootstrap  string      `json:"bootstrap"`
	Operations []operation `json:"operations"`
}

type client struct {
	bootstrap string
	kafka     *kgo.Client
	admin     *kadm.Client
}

func main() {
	if len(os.Args) == 6 && os.Args[1] == "member" {
		member(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
		return
	}
	var input script
	if err := json.NewDecoder(os.Stdin).Decode(&input); err != nil {
		fmt.Fprintln(os.Stderr, "cannot read the script:", err)
		os.Exit(2)
	}
	kafka, err := kgo.NewClient(kgo.SeedBrokers(input.Bootstrap), kgo.ClientID("franz-go"), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	defer kafka.Close()
	c := &client{bootstrap: input.Bootstrap, kafka: kafka, admin: kadm.NewClient(kafka)}
	results := make([]map[string]any, 0, len(input.Operations))
	for _, op := range input.Operations {
		answer, err := c.run(op)
		if err != nil {
			results = append(results, map[string]any{"error": nameOf(err), "message": err.Error()})
		} else {
			results = append(results, map[string]any{"ok": answer})
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		os.Exit(2)
	}
}

// nameOf gives the protocol's name of an error, 'NONE' for none.
func nameOf(err error) string {
	if err == nil {
		return "NONE"
	}
	var known *kerr.Error
	if errors.As(err, &known) {
		return known.Message
	}
	return err.Error()
}

func (c *client) run(op operation) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	switch op.Op {
	case "createTopics":
		return c.createTopics(ctx, op)
	case "deleteTopics":
		return c.deleteTopics(ctx, op)
	case "describeTopics":
		return c.describeTopics(ctx, op)
	case "listTopics":
		topics, err := c.admin.ListTopics(ctx)
		return topics.Names(), err
	case "describeCluster":
		return c.describeCluster(ctx)
	case "produce":
		return c.produce(ctx, op)
	case "consume":
		return c.consume(ctx, op)
	case "listOffsets":
		return c.listOffsets(ctx, op)
	case "describeConfigs":
		return c.describeConfigs(ctx, op)
	case "alterConfigs":
		return c.alterConfigs(ctx, op)
	case "createPartitions":
		return c.createPartitions(ctx, op)
	case "deleteRecords":
		return c.deleteRecords(ctx, op)
	case "describeProducers":
		return c.describeProducers(ctx, op)
	case "describeLogDirs":
		return c.describeLogDirs(ctx)
	case "listConfigResources":
		return c.listConfigResources(ctx)
	}
	return nil, fmt.Errorf("unknown operation %q", op.Op)
}

func (c *client) createTopics(ctx context.Context, op operation) (any, error) {
	outcome := map[string]string{}
	for _, t := range op.Topics {
		create := c.admin.CreateTopics
		if op.ValidateOnly {
			create = c.admin.ValidateCreateTopics
		}
		responses, err := create(ctx, t.Partitions, 1, t.Configs, t.Name)
		if err != nil {
			return nil, err
		}
		outcome[t.Name] = nameOf(responses[t.Name].Err)
	}
	return outcome, nil
}

func (c *client) deleteTopics(ctx context.Context, op operation) (any, error) {
	responses, err := c.admin.DeleteTopics(ctx, op.Names...)
	if err != nil {
		return nil, err
	}
	outcome := map[string]string{}
	for _, r := range responses {
		outcome[r.Topic] = nameOf(r.Err)
	}
	return outcome, nil
}

func (c *client) describeTopics(ctx context.Context, op operation) (any, error) {
	details, err := c.admin.ListTopics(ctx, op.Names...)
	if err != nil {
		return nil, err
	}
	described := map[string]any{}
	for name, detail := range details {
		if detail.Err != nil {
			described[name] = map[string]any{"error": nameOf(detail.Err)}
			continue
		}
		leaders := []int32{}
		for _, partition := range detail.Partitions.Sorted() {
			leaders = append(leaders, partition.Leader)
		}
		described[name] = map[string]any{"partitions": len(detail.Partitions), "leaders": leaders}
	}
	return described, nil
}

func (c *client) describeCluster(ctx context.Context) (any, error) {
	metadata, err := c.admin.BrokerMetadata(ctx)
	if err != nil {
		return nil, err
	}
	brokers := []map[string]any{}
	for _, b := range metadata.Brokers {
		brokers = append(brokers, map[string]any{"id": b.NodeID, "host": b.Host, "port": b.Port})
	}
	return map[string]any{"clusterId": metadata.Cluster, "controller": metadata.Controller, "brokers": brokers}, nil
}

func (c *client) describeConfigs(ctx context.Context, op operation) (any, error) {
	describe := c.admin.DescribeTopicConfigs
	var configs kadm.ResourceConfigs
	var err error
	if op.Type == "topic" {
		configs, err = describe(ctx, op.Name)
	} else {
		var broker int32
		if _, err := fmt.Sscan(op.Name, &broker); err != nil {
			return nil, err
		}
		configs, err = c.admin.DescribeBrokerConfigs(ctx, broker)
	}
	if err != nil {
		return nil, err
	}
	if configs[0].Err != nil {
		return nil, configs[0].Err
	}
	described := map[string]any{}
	for _, config := range configs[0].Configs {
		described[config.Key] = map[string]any{
			"value":    config.Value,
			"default":  config.Source == kmsg.ConfigSourceDefaultConfig,
			"synonyms": len(config.Synonyms),
		}
	}
	return described, nil
}

func (c *client) alterConfigs(ctx context.Context, op operation) (any, error) {
	changes := []kadm.AlterConfig{}
	for name, value := range op.Set {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: value})
	}
	for _, name := range op.Delete {
		changes = append(changes, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: name})
	}
	alter := c.admin.AlterTopicConfigs
	if op.Type == "broker" {
		var broker int32
		if _, err := fmt.Sscan(op.Name, &broker); err != nil {
			return nil, err
		}
		responses, err := c.admin.AlterBrokerConfigs(ctx, changes, broker)
		if err != nil {
			return nil, err
		}
		return nameOf(responses[0].Err), nil
	}
	responses, err := alter(ctx, changes, op.Name)
	if err != nil {
		return nil, err
	}
	return nameOf(responses[0].Err), nil
}

func (c *client) createPartitions(ctx context.Context, op operation) (any, error) {
	responses, err := c.admin.UpdatePartitions(ctx, op.Total, op.Topic)
	if err != nil {
		return nil, err
	}
	return nameOf(responses[op.Topic].Err), nil
}

func (c *client) deleteRecords(ctx context.Context, op operation) (any, error) {
	offsets := kadm.Offsets{}
	offsets.AddOffset(op.Topic, op.Partition, op.Before, -1)
	responses, err := c.admin.DeleteRecords(ctx, offsets)
	if err != nil {
		return nil, err
	}
	response, _ := responses.Lookup(op.Topic, op.Partition)
	return map[string]any{"lowWatermark": response.LowWatermark}, response.Err
}

func (c *client) describeProducers(ctx context.Context, op operation) (any, error) {
	set := kadm.TopicsSet{}
	set.Add(op.Topic, op.Partition)
	described, err := c.admin.DescribeProducers(ctx, set)
	if err != nil {
		return nil, err
	}
	producers := []map[string]any{}
	described.EachProducer(func(p kadm.DescribedProducer) {
		producers = append(producers, map[string]any{
			"producerId": p.ProducerID, "producerEpoch": p.ProducerEpoch, "lastSequence": p.LastSequence,
		})
	})
	return producers, nil
}

func (c *client) describeLogDirs(ctx context.Context) (any, error) {
	all, err := c.admin.DescribeAllLogDirs(ctx, nil)
	if err != nil {
		return nil, err
	}
	directories := []map[string]any{}
	all.Each(func(d kadm.DescribedLogDir) {
		partitions := map[string]int64{}
		d.Topics.Each(func(p kadm.DescribedLogDirPartition) {
			partitions[fmt.Sprintf("%s-%d", p.Topic, p.Partition)] = p.Size
		})
		directories = append(directories, map[string]any{"path": d.Dir, "error": nameOf(d.Err), "partitions": partitions})
	})
	return directories, nil
}

func (c *client) listConfigResources(ctx context.Context) (any, error) {
	response, err := kmsg.NewPtrListConfigResourcesRequest().RequestWith(ctx, c.kafka)
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(response.ErrorCode); err != nil {
		return nil, err
	}
	names := []string{}
	for _, resource := range response.ConfigResources {
		names = append(names, fmt.Sprintf("%d:%s", resource.Type, resource.Name))
	}
	return names, nil
}

func (c *client) listOffsets(ctx context.Context, op operation) (any, error) {
	list := c.admin.ListEndOffsets
	var listed kadm.ListedOffsets
	var err error
	switch at := op.At.(type) {
	case float64:
		listed, err = c.admin.ListOffsetsAfterMilli(ctx, int64(at), op.Topic)
	case string:
		switch at {
		case "earliest":
			list = c.admin.ListStartOffsets
		case "maxTimestamp":
			list = c.admin.ListMaxTimestampOffsets
		}
		listed, err = list(ctx, op.Topic)
	}
	if err != nil {
		return nil, err
	}
	found, _ := listed.Lookup(op.Topic, op.Partition)
	return map[string]any{"offset": found.Offset, "timestamp": found.Timestamp}, found.Err
}

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func (c *client) produce(ctx context.Context, op operation) (any, error) {
	acks := map[int]kgo.Acks{0: kgo.NoAck(), 1: kgo.LeaderAck(), -1: kgo.AllISRAcks()}[op.Acks]
	options := []kgo.Opt{
		kgo.SeedBrokers(c.bootstrap), kgo.ClientID("franz-go"), kgo.RequiredAcks(acks), kgo.ProducerBatchCompression(codecs[op.Codec]),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(20 * time.Millisecond), kgo.ProducerBatchMaxBytes(1_000_012),
		kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(20),
	}
	if !op.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	producer, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	file, err := os.Open(op.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	records := []*kgo.Record{}
	lines := json.NewDecoder(bufio.NewReader(file))
	for lines.More() {
		var line record
		if err := lines.Decode(&line); err != nil {
			return nil, err
		}
		records = append(records, toKafka(op.Topic, line))
	}
	results := producer.ProduceSync(ctx, records...)
	if err := results.FirstErr(); err != nil {
		return nil, err
	}
	written := make([][2]int64, len(records))
	for i, r := range records {
		written[i] = [2]int64{int64(r.Partition), r.Offset}
		if op.Acks == 0 {
			written[i][1] = -1
		}
	}
	return map[string]any{"written": written}, nil
}

func toKafka(topic string, line record) *kgo.Record {
	r := &kgo.Record{Topic: topic, Partition: line.Partition}
	if line.Timestamp != nil {
		r.Timestamp = time.UnixMilli(*line.Timestamp)
	}
	if line.Key != nil {
		r.Key = *line.Key
	}
	if line.Value != nil {
		r.Value = *line.Value
	}
	for _, h := range line.Headers {
		kafkaHeader := kgo.RecordHeader{Key: h[0].(string)}
		if text, ok := h[1].(string); ok {
			kafkaHeader.Value = unbase64(text)
		}
		r.Headers = append(r.Headers, kafkaHeader)
	}
	return r
}

func unbase64(text string) []byte {
	bytes := []byte{}
	quoted, _ := json.Marshal(text)
	if err := json.Unmarshal(quoted, &bytes); err != nil {
		panic(err)
	}
	return bytes
}

func nullable(bytes []byte) *[]byte {
	if bytes == nil {
		return nil
	}
	return &bytes
}

func (c *client) consume(ctx context.Context, op operation) (any, error) {
	starts := map[int32]kgo.Offset{}
	left := map[int32]int{}
	total := 0
	for _, p := range op.Partitions {
		start := kgo.NewOffset().AtStart()
		if offset, ok := p.Offset.(float64); ok {
			start = kgo.NewOffset().At(int64(offset))
		}
		starts[p.Partition] = start
		left[p.Partition] = p.Count
		total += p.Count
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(c.bootstrap), kgo.ClientID("franz-go"), kgo.FetchMaxWait(200 * time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{op.Topic: starts}),
	}
	if op.FetchBytes > 0 {
		options = append(options, kgo.FetchMaxPartitionBytes(op.FetchBytes))
	}
	if op.Isolation == "read_committed" {
		options = append(options, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	consumer, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	file, err := os.Create(op.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	writer := bufio.NewWriter(file)
	defer writer.Flush()
	out := json.NewEncoder(writer)
	for missing := total; missing > 0; {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return nil, fmt.Errorf("%d records missing: %w", missing, err)
		}
		for _, failure := range fetches.Errors() {
			return nil, failure.Err
		}
		var failed error
		fetches.EachRecord(func(r *kgo.Record) {
			if left[r.Partition] == 0 {
				return
			}
			left[r.Partition]--
			missing--
			if err := out.Encode(fromKafka(r)); err != nil {
				failed = err
			}
		})
		if failed != nil {
			return nil, failed
		}
	}
	return map[string]any{"count": total}, nil
}

func fromKafka(r *kgo.Record) record {
	timestamp := r.Timestamp.UnixMilli()
	line := record{
		Partition: r.Partition, Offset: r.Offset, Timestamp: &timestamp, Key: nullable(r.Key), Value: nullable(r.Value), Headers: [][2]any{},
	}
	for _, h := range r.Headers {
		line.Headers = append(line.Headers, [2]any{h.Key, nullable(h.Value)})
	}
	return line
}
