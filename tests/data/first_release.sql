-- A SQLite database as the first version of this tool wrote it (revision r0001, commit 4201182).
-- Made by that version's own code: two projects, an import with a duplicate and odd tokens, labels, a skip, a flag, a
-- correction, evaluation labels, one round with the stub tagger, sentences held by a tab; then sqlite3's iterdump().
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('r0001');
CREATE TABLE annotation_spans (
	annotation_seq INTEGER NOT NULL, 
	project_id INTEGER NOT NULL, 
	start INTEGER NOT NULL, 
	"end" INTEGER NOT NULL, 
	label VARCHAR(100) NOT NULL, 
	CONSTRAINT pk_annotation_spans PRIMARY KEY (annotation_seq, start), 
	CONSTRAINT ck_annotation_spans_order CHECK (0 <= start AND start < "end"), 
	CONSTRAINT fk_annotation_spans_annotation_seq_annotations FOREIGN KEY(annotation_seq, project_id) REFERENCES annotations (seq, project_id), 
	CONSTRAINT fk_annotation_spans_project_id_labels FOREIGN KEY(project_id, label) REFERENCES labels (project_id, name)
);
INSERT INTO "annotation_spans" VALUES(1,1,0,1,'PER');
INSERT INTO "annotation_spans" VALUES(1,1,2,3,'LOC');
INSERT INTO "annotation_spans" VALUES(3,1,1,2,'ORG');
INSERT INTO "annotation_spans" VALUES(6,1,4,5,'LOC');
INSERT INTO "annotation_spans" VALUES(7,1,2,3,'PER');
INSERT INTO "annotation_spans" VALUES(8,1,1,2,'LOC');
INSERT INTO "annotation_spans" VALUES(9,1,4,5,'LOC');
INSERT INTO "annotation_spans" VALUES(10,1,2,3,'PER');
INSERT INTO "annotation_spans" VALUES(11,1,3,4,'LOC');
INSERT INTO "annotation_spans" VALUES(13,1,3,4,'LOC');
INSERT INTO "annotation_spans" VALUES(14,1,2,3,'PER');
INSERT INTO "annotation_spans" VALUES(15,1,5,6,'PER');
INSERT INTO "annotation_spans" VALUES(19,1,6,7,'PER');
CREATE TABLE annotations (
	seq INTEGER NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	project_id INTEGER NOT NULL, 
	sentence_id INTEGER NOT NULL, 
	split VARCHAR(10) NOT NULL, 
	annotator_id INTEGER NOT NULL, 
	status VARCHAR(10) NOT NULL, 
	origin VARCHAR(10) NOT NULL, 
	imported BOOLEAN NOT NULL, 
	comment TEXT NOT NULL, 
	suggestion_run INTEGER, 
	milliseconds BIGINT NOT NULL, 
	client_time DATETIME NOT NULL, 
	created_at DATETIME NOT NULL, 
	supersedes VARCHAR(64), 
	CONSTRAINT pk_annotations PRIMARY KEY (seq), 
	CONSTRAINT ck_annotations_origin_matches_split CHECK ((origin = 'evaluation') = (split = 'reserve')), 
	CONSTRAINT ck_annotations_origin CHECK (origin IN ('random', 'active', 'evaluation', 'import')), 
	CONSTRAINT ck_annotations_no_suggestion_for_reserve CHECK (split = 'pool' OR suggestion_run IS NULL), 
	CONSTRAINT ck_annotations_status CHECK (status IN ('labelled', 'skipped', 'flagged')), 
	CONSTRAINT ck_annotations_id_not_empty CHECK (length(id) > 0), 
	CONSTRAINT ck_annotations_milliseconds CHECK (milliseconds >= 0), 
	CONSTRAINT fk_annotations_annotator_id_annotators FOREIGN KEY(annotator_id) REFERENCES annotators (id), 
	CONSTRAINT fk_annotations_sentence_id_sentences FOREIGN KEY(sentence_id, project_id, split) REFERENCES sentences (id, project_id, split), 
	CONSTRAINT fk_annotations_suggestion_run_runs FOREIGN KEY(suggestion_run, project_id) REFERENCES runs (id, project_id), 
	CONSTRAINT fk_annotations_supersedes_annotations FOREIGN KEY(supersedes) REFERENCES annotations (id), 
	CONSTRAINT uq_annotations_id UNIQUE (id), 
	CONSTRAINT uq_annotations_seq_project_id UNIQUE (seq, project_id)
);
INSERT INTO "annotations" VALUES(1,'441384db-4065-4b9c-bf98-693001882aef',1,34,'pool',1,'labelled','import',1,'',NULL,0,'2026-11-27 06:42:52.168031','2026-11-27 06:42:52.168031',NULL);
INSERT INTO "annotations" VALUES(2,'d6d868b9-15a3-4f58-85b7-50602c53e355',1,35,'pool',1,'labelled','import',1,'',NULL,0,'2026-11-27 06:42:52.168031','2026-11-27 06:42:52.168031',NULL);
INSERT INTO "annotations" VALUES(3,'9f926697-ea1f-43b0-aeaa-0314b6de0268',1,36,'pool',1,'labelled','import',1,'',NULL,0,'2026-11-27 06:42:52.168031','2026-11-27 06:42:52.168031',NULL);
INSERT INTO "annotations" VALUES(4,'80093a65-ad97-44c5-8eb1-223bff09ca3d',1,1,'pool',2,'labelled','random',0,'',NULL,1000,'2026-11-27 06:42:52.177761','2026-11-27 06:42:52.181689',NULL);
INSERT INTO "annotations" VALUES(5,'bd26f9eb-eee2-4bfa-b31c-95cf31633015',1,2,'pool',2,'labelled','random',0,'',NULL,1000,'2026-11-27 06:42:52.177776','2026-11-27 06:42:52.181689',NULL);
INSERT INTO "annotations" VALUES(6,'81e514a6-385e-44b3-ab96-fb0803c196d4',1,3,'pool',2,'labelled','random',0,'',NULL,1000,'2026-11-27 06:42:52.177786','2026-11-27 06:42:52.181689',NULL);
INSERT INTO "annotations" VALUES(7,'8add33e1-bec7-4f1f-afc1-7bfcaaf5d390',1,4,'pool',2,'labelled','random',0,'',NULL,1000,'2026-11-27 06:42:52.177792','2026-11-27 06:42:52.181689',NULL);
INSERT INTO "annotations" VALUES(8,'43608c63-742c-4857-a696-eec1ddce0fd4',1,5,'pool',2,'labelled','random',0,'',NULL,1000,'2026-11-27 06:42:52.177800','2026-11-27 06:42:52.181689',NULL);
INSERT INTO "annotations" VALUES(9,'965be6c7-e9f1-4a51-8b1a-ce383267bd82',1,6,'pool',2,'labelled','random',0,'',NULL,1000,'2026-11-27 06:42:52.177805','2026-11-27 06:42:52.181689',NULL);
INSERT INTO "annotations" VALUES(10,'c33c7d0b-a996-46ec-a09a-c4c267fe7aa2',1,7,'pool',2,'labelled','random',0,'',NULL,1000,'2026-11-27 06:42:52.177810','2026-11-27 06:42:52.181689',NULL);
INSERT INTO "annotations" VALUES(11,'f65659f4-64ee-4f55-980d-12f44124da34',1,8,'pool',2,'labelled','random',0,'',NULL,1000,'2026-11-27 06:42:52.177818','2026-11-27 06:42:52.181689',NULL);
INSERT INTO "annotations" VALUES(12,'83a9d0d5-a539-4296-ac75-ef3e5b508f89',1,25,'reserve',2,'labelled','evaluation',0,'',NULL,1000,'2026-11-27 06:42:52.197382','2026-11-27 06:42:52.198079',NULL);
INSERT INTO "annotations" VALUES(13,'d17911c1-27b3-44ae-88cd-b2a8b8bc0736',1,26,'reserve',2,'labelled','evaluation',0,'',NULL,1000,'2026-11-27 06:42:52.197401','2026-11-27 06:42:52.198079',NULL);
INSERT INTO "annotations" VALUES(14,'89b34e8c-d3e2-4715-b33a-87b2d5d904b6',1,27,'reserve',2,'labelled','evaluation',0,'',NULL,1000,'2026-11-27 06:42:52.197407','2026-11-27 06:42:52.198079',NULL);
INSERT INTO "annotations" VALUES(15,'66e62359-7da7-4e10-86f7-ebcf2c444d83',1,28,'reserve',2,'labelled','evaluation',0,'',NULL,1000,'2026-11-27 06:42:52.197412','2026-11-27 06:42:52.198079',NULL);
INSERT INTO "annotations" VALUES(16,'5708936b-986b-4533-afa9-19678570b376',1,9,'pool',2,'skipped','random',0,'',NULL,1000,'2026-11-27 06:42:52.213064','2026-11-27 06:42:52.213886',NULL);
INSERT INTO "annotations" VALUES(17,'efa26eb4-28e8-4b64-bd09-4586fcd348fa',1,10,'pool',2,'flagged','random',0,'Nani? 🙂',NULL,1000,'2026-11-27 06:42:52.213081','2026-11-27 06:42:52.213886',NULL);
INSERT INTO "annotations" VALUES(18,'a9e75378-ff14-4bcc-8695-2fa6daa64399',1,11,'pool',2,'labelled','random',0,'',NULL,1000,'2026-11-27 06:42:52.213101','2026-11-27 06:42:52.213886',NULL);
INSERT INTO "annotations" VALUES(19,'bddfb81b-75ea-481d-a8ee-00f05b803a19',1,12,'pool',2,'labelled','random',0,'',NULL,1000,'2026-11-27 06:42:52.219889','2026-11-27 06:42:52.220930',NULL);
INSERT INTO "annotations" VALUES(20,'d1bca8b8-0b9f-4422-9f39-b3127d0b8d21',1,12,'pool',2,'labelled','random',0,'',NULL,1000,'2026-11-27 06:42:52.223861','2026-11-27 06:42:52.224571','bddfb81b-75ea-481d-a8ee-00f05b803a19');
CREATE TABLE annotators (
	id INTEGER NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	name_key VARCHAR(700) NOT NULL, 
	CONSTRAINT pk_annotators PRIMARY KEY (id), 
	CONSTRAINT uq_annotators_name_key UNIQUE (name_key)
);
INSERT INTO "annotators" VALUES(1,'Fatuma','fatuma');
INSERT INTO "annotators" VALUES(2,'Wanjiru','wanjiru');
INSERT INTO "annotators" VALUES(3,'Asha Ñandú','asha ñandú');
CREATE TABLE audit_events (
	id INTEGER NOT NULL, 
	project_id INTEGER, 
	annotator_id INTEGER, 
	at DATETIME NOT NULL, 
	kind VARCHAR(100) NOT NULL, 
	details JSON NOT NULL, 
	CONSTRAINT pk_audit_events PRIMARY KEY (id), 
	CONSTRAINT fk_audit_events_annotator_id_annotators FOREIGN KEY(annotator_id) REFERENCES annotators (id), 
	CONSTRAINT fk_audit_events_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "audit_events" VALUES(1,1,1,'2026-11-27 06:42:52.172054','import','{"files":["more.conll"],"use_as":"gold","added":3,"gold":3,"evaluation":0,"reserved":0,"exact_duplicates":1,"near_duplicates":0,"refused":0,"labels_added":[],"bad":[]}');
CREATE TABLE evaluation_predictions (
	run_id INTEGER NOT NULL, 
	sentence_id INTEGER NOT NULL, 
	project_id INTEGER NOT NULL, 
	split VARCHAR(10) NOT NULL, 
	spans JSON NOT NULL, 
	CONSTRAINT pk_evaluation_predictions PRIMARY KEY (run_id, sentence_id), 
	CONSTRAINT ck_evaluation_predictions_only_reserve CHECK (split = 'reserve'), 
	CONSTRAINT fk_evaluation_predictions_run_id_runs FOREIGN KEY(run_id, project_id) REFERENCES runs (id, project_id), 
	CONSTRAINT fk_evaluation_predictions_sentence_id_sentences FOREIGN KEY(sentence_id, project_id, split) REFERENCES sentences (id, project_id, split)
);
INSERT INTO "evaluation_predictions" VALUES(1,25,1,'reserve','[]');
INSERT INTO "evaluation_predictions" VALUES(1,26,1,'reserve','[[3,4,"LOC"]]');
INSERT INTO "evaluation_predictions" VALUES(1,27,1,'reserve','[]');
INSERT INTO "evaluation_predictions" VALUES(1,28,1,'reserve','[]');
INSERT INTO "evaluation_predictions" VALUES(1,29,1,'reserve','[]');
INSERT INTO "evaluation_predictions" VALUES(1,30,1,'reserve','[[1,2,"PER"]]');
CREATE TABLE labels (
	project_id INTEGER NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	color VARCHAR(40) NOT NULL, 
	"key" VARCHAR(10) NOT NULL, 
	description TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_labels PRIMARY KEY (project_id, name), 
	CONSTRAINT ck_labels_name_not_empty CHECK (length(name) > 0), 
	CONSTRAINT fk_labels_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "labels" VALUES(1,'PER','#4477AA','1','',0);
INSERT INTO "labels" VALUES(1,'LOC','#228833','2','',1);
INSERT INTO "labels" VALUES(1,'ORG','#CC6677','3','',2);
INSERT INTO "labels" VALUES(2,'PER','#4477AA','1','',0);
INSERT INTO "labels" VALUES(2,'LOC','#228833','2','',1);
INSERT INTO "labels" VALUES(2,'ORG','#CC6677','3','',2);
CREATE TABLE projects (
	id INTEGER NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	language VARCHAR(40) NOT NULL, 
	direction VARCHAR(4) NOT NULL, 
	guidelines TEXT NOT NULL, 
	retrain_every INTEGER NOT NULL, 
	retrain_after_seconds INTEGER NOT NULL, 
	strategy VARCHAR(100) NOT NULL, 
	system VARCHAR(40) NOT NULL, 
	backbone TEXT NOT NULL, 
	preset VARCHAR(40) NOT NULL, 
	seed BIGINT NOT NULL, 
	suggest_when VARCHAR(10) NOT NULL, 
	suggestion_threshold FLOAT NOT NULL, 
	reserve_fraction FLOAT NOT NULL, 
	split_salt VARCHAR(64) NOT NULL, 
	retrain_requested BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_projects PRIMARY KEY (id), 
	CONSTRAINT ck_projects_direction CHECK (direction IN ('auto', 'ltr', 'rtl')), 
	CONSTRAINT ck_projects_suggest_when CHECK (suggest_when IN ('always', 'earned', 'never')), 
	CONSTRAINT ck_projects_name_not_empty CHECK (length(name) > 0), 
	CONSTRAINT ck_projects_reserve_fraction CHECK (reserve_fraction >= 0 AND reserve_fraction < 1), 
	CONSTRAINT ck_projects_retrain_after_seconds CHECK (retrain_after_seconds >= 0), 
	CONSTRAINT ck_projects_retrain_every CHECK (retrain_every >= 1), 
	CONSTRAINT ck_projects_suggestion_threshold CHECK (suggestion_threshold >= 0 AND suggestion_threshold <= 1), 
	CONSTRAINT uq_projects_name UNIQUE (name)
);
INSERT INTO "projects" VALUES(1,'Kiswahili','swa','auto','Majina ya watu: **PER**',25,300,'mnlp','maner','bundled','default',12345,'always',0.5,0.1,'358ed52e1d96d74edcce7cf6a95cd7ce',0,'2026-11-27 06:42:52.046695');
INSERT INTO "projects" VALUES(2,'Yorùbá “second”','','auto','',25,300,'mnlp','maner','bundled','default',12345,'always',0.5,0.1,'6cde615b7090f401f6f6ebdb753dcc4f',0,'2026-11-27 06:42:52.100239');
CREATE TABLE queue (
	sentence_id INTEGER NOT NULL, 
	project_id INTEGER NOT NULL, 
	split VARCHAR(10) NOT NULL, 
	rank BIGINT NOT NULL, 
	annotator_id INTEGER, 
	client VARCHAR(100), 
	leased_until DATETIME, 
	CONSTRAINT pk_queue PRIMARY KEY (sentence_id), 
	CONSTRAINT ck_queue_whole_lease CHECK ((annotator_id IS NULL) = (leased_until IS NULL) AND (client IS NULL) = (leased_until IS NULL)), 
	CONSTRAINT fk_queue_annotator_id_annotators FOREIGN KEY(annotator_id) REFERENCES annotators (id), 
	CONSTRAINT fk_queue_sentence_id_selections FOREIGN KEY(sentence_id, project_id, split) REFERENCES selections (sentence_id, project_id, split)
);
INSERT INTO "queue" VALUES(13,1,'pool',9,NULL,NULL,NULL);
INSERT INTO "queue" VALUES(14,1,'pool',1,3,'tab-1','2026-11-27 06:52:52.448080');
INSERT INTO "queue" VALUES(15,1,'pool',0,3,'tab-1','2026-11-27 06:52:52.448080');
INSERT INTO "queue" VALUES(16,1,'pool',4,NULL,NULL,NULL);
INSERT INTO "queue" VALUES(17,1,'pool',3,3,'tab-1','2026-11-27 06:52:52.448080');
INSERT INTO "queue" VALUES(18,1,'pool',10,NULL,NULL,NULL);
INSERT INTO "queue" VALUES(19,1,'pool',6,NULL,NULL,NULL);
INSERT INTO "queue" VALUES(20,1,'pool',11,NULL,NULL,NULL);
INSERT INTO "queue" VALUES(21,1,'pool',2,3,'tab-1','2026-11-27 06:52:52.448080');
INSERT INTO "queue" VALUES(22,1,'pool',8,NULL,NULL,NULL);
INSERT INTO "queue" VALUES(23,1,'pool',7,NULL,NULL,NULL);
INSERT INTO "queue" VALUES(24,1,'pool',5,NULL,NULL,NULL);
INSERT INTO "queue" VALUES(29,1,'reserve',1394128669,NULL,NULL,NULL);
INSERT INTO "queue" VALUES(30,1,'reserve',625173516,NULL,NULL,NULL);
CREATE TABLE run_training_sentences (
	run_id INTEGER NOT NULL, 
	sentence_id INTEGER NOT NULL, 
	project_id INTEGER NOT NULL, 
	split VARCHAR(10) NOT NULL, 
	CONSTRAINT pk_run_training_sentences PRIMARY KEY (run_id, sentence_id), 
	CONSTRAINT ck_run_training_sentences_only_pool CHECK (split = 'pool'), 
	CONSTRAINT fk_run_training_sentences_run_id_runs FOREIGN KEY(run_id, project_id) REFERENCES runs (id, project_id), 
	CONSTRAINT fk_run_training_sentences_sentence_id_sentences FOREIGN KEY(sentence_id, project_id, split) REFERENCES sentences (id, project_id, split)
);
INSERT INTO "run_training_sentences" VALUES(1,34,1,'pool');
INSERT INTO "run_training_sentences" VALUES(1,35,1,'pool');
INSERT INTO "run_training_sentences" VALUES(1,36,1,'pool');
INSERT INTO "run_training_sentences" VALUES(1,1,1,'pool');
INSERT INTO "run_training_sentences" VALUES(1,2,1,'pool');
INSERT INTO "run_training_sentences" VALUES(1,3,1,'pool');
INSERT INTO "run_training_sentences" VALUES(1,4,1,'pool');
INSERT INTO "run_training_sentences" VALUES(1,5,1,'pool');
INSERT INTO "run_training_sentences" VALUES(1,6,1,'pool');
INSERT INTO "run_training_sentences" VALUES(1,7,1,'pool');
INSERT INTO "run_training_sentences" VALUES(1,8,1,'pool');
INSERT INTO "run_training_sentences" VALUES(1,11,1,'pool');
INSERT INTO "run_training_sentences" VALUES(1,12,1,'pool');
CREATE TABLE runs (
	id INTEGER NOT NULL, 
	project_id INTEGER NOT NULL, 
	round INTEGER NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	phase VARCHAR(40) NOT NULL, 
	progress FLOAT NOT NULL, 
	seconds_left FLOAT, 
	message TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	config JSON NOT NULL, 
	seed BIGINT NOT NULL, 
	watermark BIGINT NOT NULL, 
	n_train INTEGER NOT NULL, 
	metrics JSON NOT NULL, 
	checkpoint TEXT, 
	failure TEXT, 
	served BOOLEAN NOT NULL, 
	started_at DATETIME NOT NULL, 
	heartbeat_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	CONSTRAINT pk_runs PRIMARY KEY (id), 
	CONSTRAINT ck_runs_failure_when_failed CHECK ((state = 'failed') = (failure IS NOT NULL)), 
	CONSTRAINT ck_runs_finished_when_ended CHECK ((state = 'running') = (finished_at IS NULL)), 
	CONSTRAINT ck_runs_state CHECK (state IN ('running', 'done', 'failed')), 
	CONSTRAINT ck_runs_attempt CHECK (attempt >= 1), 
	CONSTRAINT ck_runs_progress CHECK (progress >= 0 AND progress <= 1), 
	CONSTRAINT fk_runs_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT uq_runs_id_project_id UNIQUE (id, project_id)
);
INSERT INTO "runs" VALUES(1,1,1,'done','starting',1.0,NULL,'This is the first tagger of the project.',1,'{"preset":"default","train":{"system":"maner","backbone":"bundled","seed":1284867005},"labels":["PER","LOC","ORG"],"strategy":"mnlp","random_share":0.1}',1284867005,20,13,'{"train":{"train_f1":1.0,"seed":1284867005,"peak_memory_bytes":0},"f1":0.5,"f1_low":0.0,"f1_high":1.0,"precision":1.0,"recall":0.3333333333333333,"evaluation_sentences":4,"evaluation_entities":3,"per_label":{"LOC":{"precision":1.0,"recall":1.0,"f1":1.0,"n_gold":1},"PER":{"precision":0.0,"recall":0.0,"f1":0.0,"n_gold":2}},"scored":12,"queued":12,"selection":"random","seconds":{"training":0.01234837099991637,"evaluating":0.0005769360000158485,"scoring":0.0005843869998898299,"suggesting":1.2188000255264342e-05},"p_worse":null}','runs/1',NULL,1,'2026-11-27 06:42:52.237019','2026-11-27 06:42:52.300082','2026-11-27 06:42:52.300082');
CREATE TABLE scores (
	run_id INTEGER NOT NULL, 
	sentence_id INTEGER NOT NULL, 
	project_id INTEGER NOT NULL, 
	split VARCHAR(10) NOT NULL, 
	score FLOAT NOT NULL, 
	CONSTRAINT pk_scores PRIMARY KEY (run_id, sentence_id), 
	CONSTRAINT ck_scores_only_pool CHECK (split = 'pool'), 
	CONSTRAINT fk_scores_run_id_runs FOREIGN KEY(run_id, project_id) REFERENCES runs (id, project_id), 
	CONSTRAINT fk_scores_sentence_id_sentences FOREIGN KEY(sentence_id, project_id, split) REFERENCES sentences (id, project_id, split)
);
INSERT INTO "scores" VALUES(1,13,1,'pool',1.71621126514123312212e-01);
INSERT INTO "scores" VALUES(1,14,1,'pool',2.43714280207748407169e-01);
INSERT INTO "scores" VALUES(1,15,1,'pool',9.034737752545922429e-02);
INSERT INTO "scores" VALUES(1,16,1,'pool',1.03604673483110379383e-01);
INSERT INTO "scores" VALUES(1,17,1,'pool',1.13002612784179695681e-01);
INSERT INTO "scores" VALUES(1,18,1,'pool',1.20672990439534180695e-01);
INSERT INTO "scores" VALUES(1,19,1,'pool',1.31800785131554742957e-01);
INSERT INTO "scores" VALUES(1,20,1,'pool',0.0954817913238844);
INSERT INTO "scores" VALUES(1,21,1,'pool',2.20162156002785797115e-01);
INSERT INTO "scores" VALUES(1,22,1,'pool',1.64220222786747221954e-01);
INSERT INTO "scores" VALUES(1,23,1,'pool',1.12770737117389455161e-01);
INSERT INTO "scores" VALUES(1,24,1,'pool',9.90324728477047638852e-02);
CREATE TABLE selections (
	sentence_id INTEGER NOT NULL, 
	project_id INTEGER NOT NULL, 
	split VARCHAR(10) NOT NULL, 
	origin VARCHAR(10) NOT NULL, 
	rank BIGINT NOT NULL, 
	strategy VARCHAR(100) NOT NULL, 
	score FLOAT, 
	propensity FLOAT, 
	run_id INTEGER, 
	round INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	CONSTRAINT pk_selections PRIMARY KEY (sentence_id), 
	CONSTRAINT ck_selections_origin_matches_split CHECK ((origin = 'evaluation') = (split = 'reserve')), 
	CONSTRAINT ck_selections_origin CHECK (origin IN ('random', 'active', 'evaluation')), 
	CONSTRAINT ck_selections_propensity CHECK (propensity IS NULL OR (propensity >= 0 AND propensity <= 1)), 
	CONSTRAINT fk_selections_run_id_runs FOREIGN KEY(run_id, project_id) REFERENCES runs (id, project_id), 
	CONSTRAINT fk_selections_sentence_id_sentences FOREIGN KEY(sentence_id, project_id, split) REFERENCES sentences (id, project_id, split), 
	CONSTRAINT uq_selections_sentence_id_project_id_split UNIQUE (sentence_id, project_id, split)
);
INSERT INTO "selections" VALUES(13,1,'pool','random',9,'random',1.71621126514123312212e-01,1.0,1,1,'drawn at random');
INSERT INTO "selections" VALUES(14,1,'pool','random',1,'random',2.43714280207748407169e-01,1.0,1,1,'drawn at random');
INSERT INTO "selections" VALUES(15,1,'pool','random',0,'random',9.034737752545922429e-02,1.0,1,1,'drawn at random');
INSERT INTO "selections" VALUES(16,1,'pool','random',4,'random',1.03604673483110379383e-01,1.0,1,1,'drawn at random');
INSERT INTO "selections" VALUES(17,1,'pool','random',3,'random',1.13002612784179695681e-01,1.0,1,1,'drawn at random');
INSERT INTO "selections" VALUES(18,1,'pool','random',10,'random',1.20672990439534180695e-01,1.0,1,1,'drawn at random');
INSERT INTO "selections" VALUES(19,1,'pool','random',6,'random',1.31800785131554742957e-01,1.0,1,1,'drawn at random');
INSERT INTO "selections" VALUES(20,1,'pool','random',11,'random',0.0954817913238844,1.0,1,1,'drawn at random');
INSERT INTO "selections" VALUES(21,1,'pool','random',2,'random',2.20162156002785797115e-01,1.0,1,1,'drawn at random');
INSERT INTO "selections" VALUES(22,1,'pool','random',8,'random',1.64220222786747221954e-01,1.0,1,1,'drawn at random');
INSERT INTO "selections" VALUES(23,1,'pool','random',7,'random',1.12770737117389455161e-01,1.0,1,1,'drawn at random');
INSERT INTO "selections" VALUES(24,1,'pool','random',5,'random',9.90324728477047638852e-02,1.0,1,1,'drawn at random');
INSERT INTO "selections" VALUES(29,1,'reserve','evaluation',1394128669,'random',NULL,NULL,NULL,0,'drawn at random');
INSERT INTO "selections" VALUES(30,1,'reserve','evaluation',625173516,'random',NULL,NULL,NULL,0,'drawn at random');
CREATE TABLE sentences (
	id INTEGER NOT NULL, 
	project_id INTEGER NOT NULL, 
	tokens JSON NOT NULL, 
	n_tokens INTEGER NOT NULL, 
	text TEXT, 
	spaces JSON, 
	document TEXT, 
	source TEXT NOT NULL, 
	split VARCHAR(10) NOT NULL, 
	content_hash VARCHAR(32) NOT NULL, 
	group_key VARCHAR(200), 
	duplicate_of INTEGER, 
	meta JSON NOT NULL, 
	CONSTRAINT pk_sentences PRIMARY KEY (id), 
	CONSTRAINT ck_sentences_split CHECK (split IN ('pool', 'reserve')), 
	CONSTRAINT ck_sentences_not_its_own_duplicate CHECK (duplicate_of <> id), 
	CONSTRAINT ck_sentences_n_tokens CHECK (n_tokens >= 1), 
	CONSTRAINT fk_sentences_duplicate_of_sentences FOREIGN KEY(duplicate_of) REFERENCES sentences (id), 
	CONSTRAINT fk_sentences_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT uq_sentences_id_project_id_split UNIQUE (id, project_id, split)
);
INSERT INTO "sentences" VALUES(1,1,'["watu","leo","ni","ni","na","ya","na","w0x0"]',8,NULL,NULL,NULL,'pool.txt','pool','09895b17fcbe6efa5a0954a7ca675362',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(2,1,'["soko","leo","watu","mvua","habari","watu","w0x1"]',7,NULL,NULL,NULL,'pool.txt','pool','5cde3f14de2f67e46a8c72a145d30cdd',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(3,1,'["ni","shule","habari","na","Kisumu","alisema","w0x2"]',7,NULL,NULL,NULL,'pool.txt','pool','d563683acb70305bc3087479cddfb8da',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(4,1,'["shule","wa","Juma","ya","shule","na","mji","w0x3"]',8,NULL,NULL,NULL,'pool.txt','pool','0d3f42e3ba20d819167073522a8e89b2',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(5,1,'["na","Mombasa","na","ya","na","habari","w0x4"]',7,NULL,NULL,NULL,'pool.txt','pool','d7d07db06be8bf6c36bf4f7c7fe6a74e',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(6,1,'["alisema","jana","mvua","shule","Kisumu","mvua","alisema","w0x5"]',8,NULL,NULL,NULL,'pool.txt','pool','ab3b3d403afe9102c9cd5ae8bfab8d05',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(7,1,'["habari","alisema","Juma","soko","wa","mji","habari","w0x6"]',8,NULL,NULL,NULL,'pool.txt','pool','083f51d07e65f9885c3a08356ebd6f42',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(8,1,'["leo","habari","soko","Mombasa","ya","mvua","w0x7"]',7,NULL,NULL,NULL,'pool.txt','pool','d508a3693e621a5bf25e934babb032ba',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(9,1,'["ni","Juma","habari","mji","leo","w0x8"]',6,NULL,NULL,NULL,'pool.txt','pool','c5865f44d41d045f6f76af2d809ecce9',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(10,1,'["kwa","kwa","habari","watu","na","Juma","ya","alisema","w0x9"]',9,NULL,NULL,NULL,'pool.txt','pool','eed38fa8d6cbe1ec45bdf102751ba138',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(11,1,'["serikali","soko","Baraka","ya","na","w0x10"]',6,NULL,NULL,NULL,'pool.txt','pool','20e0e4ebf2b4c4d97ed4d0537dfb82f9',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(12,1,'["jana","soko","serikali","habari","kwa","serikali","Baraka","na","w0x11"]',9,NULL,NULL,NULL,'pool.txt','pool','fcbb19c2769b223097bbfdd573f1487e',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(13,1,'["ya","watu","mji","soko","ni","Uhuru","soko","habari","w0x12"]',9,NULL,NULL,NULL,'pool.txt','pool','d94ecd1d8cf88a61b9c90fec2c431ac0',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(14,1,'["alisema","watu","Uhuru","ya","w0x13"]',5,NULL,NULL,NULL,'pool.txt','pool','892259f91d61a6f48fb411d429c0b33f',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(15,1,'["jana","leo","mvua","wa","Mombasa","leo","w0x14"]',7,NULL,NULL,NULL,'pool.txt','pool','a726b56b35b6ba7181135efec5313a4e',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(16,1,'["mvua","Juma","watu","mvua","na","w0x15"]',6,NULL,NULL,NULL,'pool.txt','pool','e2a00cff2eb3a7c97d5ec9892b2ac5aa',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(17,1,'["jana","leo","Kisumu","kwa","serikali","ya","w0x16"]',7,NULL,NULL,NULL,'pool.txt','pool','14b091f5f222364b5956f242c57d3d79',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(18,1,'["soko","soko","wa","ya","ya","habari","w0x17"]',7,NULL,NULL,NULL,'pool.txt','pool','cbbdee39042f62995789c490ac4f7e6e',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(19,1,'["mvua","soko","na","ya","shule","ya","w0x18"]',7,NULL,NULL,NULL,'pool.txt','pool','998d167edb60392380d16a496e1e3fa2',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(20,1,'["alisema","wa","leo","mvua","alisema","Juma","soko","alisema","w0x19"]',9,NULL,NULL,NULL,'pool.txt','pool','fdd69dc1a6f6f5b6d7bd42d13ded62f7',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(21,1,'["soko","Neema","shule","wa","soko","w0x20"]',6,NULL,NULL,NULL,'pool.txt','pool','265a3f1fbcdf4546b52e1bdb47157e9e',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(22,1,'["jana","wa","soko","habari","Neema","na","shule","w0x21"]',8,NULL,NULL,NULL,'pool.txt','pool','30bcd827f7d6391ab6c2dac9a62affa0',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(23,1,'["Baraka","soko","habari","ni","w0x22"]',5,NULL,NULL,NULL,'pool.txt','pool','24c58d182a057d855b6ab7036bbe2c2c',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(24,1,'["soko","soko","ni","na","Mombasa","leo","w0x23"]',7,NULL,NULL,NULL,'pool.txt','pool','7d5d46e75b98c5a37c6e5862cd7ec679',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(25,1,'["leo","serikali","mvua","na","wa","w1x0"]',6,NULL,NULL,NULL,'reserve.txt','reserve','20eb75df9b1936f57ff70b7105c0a724',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(26,1,'["ni","soko","jana","Mombasa","ni","w1x1"]',6,NULL,NULL,NULL,'reserve.txt','reserve','d5e41c91c4d7657c1212036f1e96fa9d',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(27,1,'["ya","na","Neema","shule","serikali","shule","w1x2"]',7,NULL,NULL,NULL,'reserve.txt','reserve','9aafa04af6bc298c7cc6b6381930f1ac',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(28,1,'["ya","ni","ya","jana","mvua","Baraka","wa","w1x3"]',8,NULL,NULL,NULL,'reserve.txt','reserve','8d2e46cf22480e50524b561138f2a709',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(29,1,'["Uhuru","kwa","na","serikali","na","ni","w1x4"]',7,NULL,NULL,NULL,'reserve.txt','reserve','3c8bb95887556bc248d868984f3665ec',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(30,1,'["mvua","Juma","ya","habari","ni","mji","soko","w1x5"]',8,NULL,NULL,NULL,'reserve.txt','reserve','6e121c3b236067a1086bc09f9c31960e',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(31,2,'["watu","leo","ni","ni","na","ya","na","w0x0"]',8,NULL,NULL,NULL,'pool.txt','pool','09895b17fcbe6efa5a0954a7ca675362',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(32,2,'["soko","leo","watu","mvua","habari","watu","w0x1"]',7,NULL,NULL,NULL,'pool.txt','pool','5cde3f14de2f67e46a8c72a145d30cdd',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(33,2,'["ni","shule","habari","na","Kisumu","alisema","w0x2"]',7,NULL,NULL,NULL,'pool.txt','pool','d563683acb70305bc3087479cddfb8da',NULL,NULL,'{}');
INSERT INTO "sentences" VALUES(34,1,'["Asha","ana","Kisumu"]',3,NULL,NULL,NULL,'more.conll:1','pool','bc8b44fceddf00b8be99b8e6e31a620e','28108c7c9366476805f6dfb11572fd7a',NULL,'{}');
INSERT INTO "sentences" VALUES(35,1,'["watu","leo","ni","ni","na","ya","na","w0x0"]',8,NULL,NULL,NULL,'more.conll:5','pool','09895b17fcbe6efa5a0954a7ca675362','860a4be4621b8f27e1cb890d247254bd',1,'{}');
INSERT INTO "sentences" VALUES(36,1,'["‮صباح","<b>x</b>","=1+1"]',3,NULL,NULL,NULL,'more.conll:14','pool','8e774e00ff00fa65b9a730bed6c2ecec','c92c080df8c0a50c77183143fa1cf6c8',NULL,'{}');
CREATE TABLE serving_runs (
	project_id INTEGER NOT NULL, 
	run_id INTEGER NOT NULL, 
	CONSTRAINT pk_serving_runs PRIMARY KEY (project_id), 
	CONSTRAINT fk_serving_runs_run_id_runs FOREIGN KEY(run_id, project_id) REFERENCES runs (id, project_id)
);
INSERT INTO "serving_runs" VALUES(1,1);
CREATE TABLE suggestions (
	run_id INTEGER NOT NULL, 
	sentence_id INTEGER NOT NULL, 
	project_id INTEGER NOT NULL, 
	split VARCHAR(10) NOT NULL, 
	spans JSON NOT NULL, 
	word_confidence JSON NOT NULL, 
	CONSTRAINT pk_suggestions PRIMARY KEY (run_id, sentence_id), 
	CONSTRAINT ck_suggestions_only_pool CHECK (split = 'pool'), 
	CONSTRAINT fk_suggestions_run_id_runs FOREIGN KEY(run_id, project_id) REFERENCES runs (id, project_id), 
	CONSTRAINT fk_suggestions_sentence_id_sentences FOREIGN KEY(sentence_id, project_id, split) REFERENCES sentences (id, project_id, split)
);
INSERT INTO "suggestions" VALUES(1,13,1,'pool','[]','[0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.5288766622543335,0.9599999785423279,0.9599999785423279,0.5369576811790466]');
INSERT INTO "suggestions" VALUES(1,14,1,'pool','[]','[0.9599999785423279,0.9599999785423279,0.5288766622543335,0.9599999785423279,0.6318486928939819]');
INSERT INTO "suggestions" VALUES(1,15,1,'pool','[[4,5,"LOC",0.9599999785423279]]','[0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.6787519454956055]');
INSERT INTO "suggestions" VALUES(1,16,1,'pool','[[1,2,"PER",0.9599999785423279]]','[0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.6586796641349792]');
INSERT INTO "suggestions" VALUES(1,17,1,'pool','[[2,3,"LOC",0.9599999785423279]]','[0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.5792123079299927]');
INSERT INTO "suggestions" VALUES(1,18,1,'pool','[]','[0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.5489330291748047]');
INSERT INTO "suggestions" VALUES(1,19,1,'pool','[]','[0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.5077970623970032]');
INSERT INTO "suggestions" VALUES(1,20,1,'pool','[[5,6,"PER",0.9599999785423279]]','[0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.5869826674461365]');
INSERT INTO "suggestions" VALUES(1,21,1,'pool','[]','[0.9599999785423279,0.5608874559402466,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.5602064728736877]');
INSERT INTO "suggestions" VALUES(1,22,1,'pool','[]','[0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.5608874559402466,0.9599999785423279,0.9599999785423279,0.6122621893882751]');
INSERT INTO "suggestions" VALUES(1,23,1,'pool','[]','[0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.6699410080909729]');
INSERT INTO "suggestions" VALUES(1,24,1,'pool','[[4,5,"LOC",0.9599999785423279]]','[0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.9599999785423279,0.6387161016464233]');
CREATE TABLE worker_leases (
	project_id INTEGER NOT NULL, 
	holder VARCHAR(200) NOT NULL, 
	until DATETIME NOT NULL, 
	CONSTRAINT pk_worker_leases PRIMARY KEY (project_id), 
	CONSTRAINT fk_worker_leases_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "worker_leases" VALUES(1,'machine/1/ab','2026-11-27 06:43:22.464150');
CREATE TABLE workers (
	holder VARCHAR(200) NOT NULL, 
	state TEXT NOT NULL, 
	seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_workers PRIMARY KEY (holder)
);
INSERT INTO "workers" VALUES('machine/1/ab','idle','2026-11-27 06:42:52.471982');
CREATE INDEX ix_audit_events_project_id ON audit_events (project_id);
CREATE INDEX ix_runs_project_id ON runs (project_id);
CREATE INDEX ix_sentences_duplicate_of ON sentences (duplicate_of);
CREATE INDEX ix_sentences_project_id_content_hash ON sentences (project_id, content_hash);
CREATE INDEX ix_sentences_project_id_group_key ON sentences (project_id, group_key);
CREATE INDEX ix_sentences_project_id_split_duplicate_of ON sentences (project_id, split, duplicate_of);
CREATE INDEX ix_annotations_project_id_annotator_id_imported_sentence_id ON annotations (project_id, annotator_id, imported, sentence_id);
CREATE INDEX ix_annotations_project_id_split_sentence_id_seq ON annotations (project_id, split, sentence_id, seq);
CREATE INDEX ix_annotations_sentence_id_seq ON annotations (sentence_id, seq);
CREATE INDEX ix_annotation_spans_project_id_label ON annotation_spans (project_id, label);
CREATE INDEX ix_queue_leases ON queue (project_id, split, annotator_id, client) WHERE leased_until IS NOT NULL;
CREATE INDEX ix_queue_project_id_split_rank ON queue (project_id, split, rank);
COMMIT;
